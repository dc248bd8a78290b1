"""Two measurements of one benchmark side by side: what became slower, faster, larger or smaller, and by how much.

    python benchmarks/compare.py OLD.json NEW.json [--worse 1.25] [--all]

Reads what the other benchmarks write with ``--json``. Prints every figure that changed by more than a tenth as a ratio above 1
where the new one is better and below 1 where it is worse, worst first (``--all``: the others too). Ends with 1 when a figure is
worse by more than the factor of ``--worse``, so that a build can be stopped by it, and with 2 when the files cannot be compared.

Seconds and memory of different processors say nothing about the software: then only figures that are ratios within their own run
are compared, and shares of a peak that was measured beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from common import markdown_table

TOLD = 1.1
# Of these more is better; of everything else, seconds, milliseconds, MiB, less.
MORE_IS_BETTER = ("ratio", "share_of_peak", "flops", "per_s", "efficiency")
WITHIN_A_RUN = ("ratio", "share_of_peak", "efficiency")
# What was set, not measured.
SETTINGS = (
    "slices",
    "samples",
    "levels",
    "rounds",
    "passes",
    "size",
    "voxels",
    "segments",
    "load",
    "labels",
    "gflop_per_pass",
    "workers",
)
# Rows of a list are known by these, or else by their place.
NAMES = ("name", "job", "case", "slices", "network", "kind")
MACHINE = ("processor", "cores", "threads", "gpu", "bf16")


def figures_of(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Path and value of every measured number."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key != "machine" and not any(str(key).startswith(name) for name in SETTINGS):
                yield from figures_of(value, (*path, str(key)))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            given = [f"{key} {value[key]}" for key in NAMES if key in value] if isinstance(value, Mapping) else []
            yield from figures_of(value, (*path, ", ".join(given) or str(place)))
    elif isinstance(data, (int, float)) and not isinstance(data, bool):
        yield path, float(data)


def compared(old: Any, new: Any, same_machine: bool) -> dict[tuple[str, ...], tuple[float, float, float]]:
    """Path -> old, new, and how many times better the new one is."""
    before = dict(figures_of(old))
    found = {}
    for path, value in figures_of(new):
        earlier = before.get(path)
        if earlier is None or earlier <= 0 or value <= 0 or not (same_machine or _has(path, WITHIN_A_RUN)):
            continue
        better = value / earlier if _has(path, MORE_IS_BETTER) else earlier / value
        found[path] = earlier, value, better
    return found


def _has(path: tuple[str, ...], words: tuple[str, ...]) -> bool:
    return any(word in part for part in path for word in words)


def _machine(data: Any) -> dict[str, Any] | None:
    facts = data.get("machine") if isinstance(data, Mapping) else None
    return None if facts is None else {key: facts.get(key) for key in MACHINE}


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        print(f"{path} cannot be read ({error}); give two files that a benchmark wrote with --json.", file=sys.stderr)
        raise SystemExit(2) from None


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--worse", type=float, default=1.25, help="the factor from which on this ends with 1 (default: 1.25)")
    parser.add_argument("--all", action="store_true", help="also what hardly changed")
    options = parser.parse_args()
    old, new = _read(options.old), _read(options.new)
    machines = _machine(old), _machine(new)
    same = None not in machines and machines[0] == machines[1]
    if not same:
        print("Another machine, or one that was not noted: only ratios within each run are compared.\n")
    found = compared(old, new, same)
    if not found:
        print("The files have no figure in common that can be compared; give two of the same benchmark.", file=sys.stderr)
        return 2
    rows = sorted(found.items(), key=lambda item: item[1][2])
    told = [row for row in rows if options.all or not 1 / TOLD <= row[1][2] <= TOLD]
    if told:
        print(markdown_table(("figure", "old", "new", "times better"), [(" / ".join(path), *values) for path, values in told]))
    print(f"\n{len(found)} figures compared, {len(found) - len(told)} not shown.")
    worse = sum(better < 1 / options.worse for _, (_, _, better) in rows)
    if worse:
        print(f"{worse} worse by more than {options.worse:g} times.")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())

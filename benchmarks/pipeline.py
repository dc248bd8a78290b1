"""Where the time of a whole run goes: `mskseg segment` on scans of 512 x 512 x 150, 500 and 1,000 slices, per stage.

    python benchmarks/pipeline.py [--quick] [--slices N ...] [--samples T] [--bundle NAME|DIR | --large] [--preview] [--json FILE]

The scan is the sample CT in a scanner's field of view and noise, gzip NIfTI, the same length of body in every row. Each stage is
timed from outside by the run's own progress lines, on the clock and as processor time of all cores: on a busy machine the latter
over the number of cores is what an idle one would take at best. Prints Markdown; ``--json FILE`` writes the same figures.

With ``--large`` the network is that of the method's deeper model, untrained and finding nothing, at full resolution. It runs on one
level per 20 mm only: time is not what this is for, and memory does not depend on it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from common import ROOT, machine, machine_line, markdown_table, write_scan

from MSKSegmentLib.preview import PASSES

SLICES = (150, 500, 1000)
STAGES = ("start", "reading", "checks", "inference", "segmentation", "measurement", "writing", "end")
# Everything after the network.
AFTER = ("segmentation", "measurement", "writing", "end")


@dataclass
class Run:
    """One run: seconds per stage on the clock and on the processor, how often the network saw a slice, peak memory."""

    slices: int
    samples: int | None
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    levels: int = 0
    peak_mib: float = 0.0
    load: float = -1.0

    def total(self, stages: tuple[str, ...] = STAGES, of_processor: bool = False) -> float:
        """The sum over stages."""
        seconds = self.cpu_seconds if of_processor else self.seconds
        return sum(seconds.get(stage, 0.0) for stage in stages)


def run(slices: int, samples: int | None, more: list[str]) -> Run:
    """Segment a scan of so many slices in a child process and read the clock at every progress line."""
    result = Run(slices, samples)
    with tempfile.TemporaryDirectory() as folder:
        scan = Path(folder) / "scan.nii.gz"
        write_scan(scan, slices)
        command = [sys.executable, "-m", "MSKSegmentLib", "segment", str(scan), "-o", str(Path(folder) / "out")]
        command += [*([] if samples is None else ["--samples", str(samples)]), "--seed", "0", "--progress", "json", *more]
        result.load = os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0
        stage, began, cpu = "start", time.perf_counter(), 0.0
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        watched = psutil.Process(child.pid)
        threading.Thread(target=_watch_memory, args=(watched, result), daemon=True).start()
        assert child.stdout
        for text in child.stdout:
            line = json.loads(text)
            now, used = time.perf_counter(), _processor_s(watched, cpu)
            if line["stage"] == "inference":
                result.levels = line["total"]
            if line["stage"] != stage:
                result.seconds[stage], result.cpu_seconds[stage] = now - began, used - cpu
                stage, began, cpu = line["stage"], now, used
        if child.wait():
            raise SystemExit(f"The run failed with code {child.returncode}.")
        result.seconds["end"] = time.perf_counter() - began
    return result


def write_large_bundle(folder: Path) -> Path:
    """6 levels of width 32, untrained; everything is background."""
    import torch

    from MSKSegmentLib.bundle import save_bundle
    from MSKSegmentLib.bundle.manifest import Manifest, NetworkSpec, Preprocessing
    from MSKSegmentLib.network.bayesian_unet import BayesianUNet

    network = BayesianUNet()
    assert network.head.bias is not None
    with torch.no_grad():
        network.head.bias[0] = 1000
    about = {"version": "1", "description": "untrained", "date": "2026-01-01", "license": "Apache-2.0"}
    manifest = Manifest("large", **about, network=NetworkSpec(), preprocessing=Preprocessing(slice_interval_mm=20.0))
    save_bundle(folder, manifest, network.state_dict(), None, "For benchmarks. Research use only.")
    return folder


def _processor_s(process: psutil.Process, otherwise: float) -> float:
    """Processor time of a process so far."""
    try:
        times = process.cpu_times()
        return times.user + times.system
    except psutil.Error:
        return otherwise


def _watch_memory(process: psutil.Process, result: Run) -> None:
    while True:
        try:
            memory = process.memory_info()
        except psutil.Error:
            return
        # Windows keeps the peak itself.
        result.peak_mib = max(result.peak_mib, getattr(memory, "peak_wset", memory.rss) / 2**20)
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)


def main() -> None:
    """Run every size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="150 slices and two passes only")
    parser.add_argument("--slices", type=int, nargs="+", default=list(SLICES))
    parser.add_argument("--samples", type=int, help="passes of every slice (default: as the bundle says)")
    network = parser.add_mutually_exclusive_group()
    network.add_argument("--bundle", help="another bundle than the one that comes along")
    network.add_argument("--large", action="store_true", help="for the memory: the method's 44 M parameters, untrained")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--preview", action="store_true", help="time the preview in place of the whole run")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    sizes, samples = (list(SLICES[:1]), 2) if options.quick else (options.slices, options.samples)
    more = ["--device", options.device, *(["--bundle", options.bundle] if options.bundle else [])]
    if options.preview:
        samples = PASSES
        more.append("--preview")
    facts = machine()
    passes = "passes as the bundle says" if samples is None else f"{samples} passes"
    print(f"{machine_line(facts)}\n\nSeconds on the clock / of processor time, {passes}.\n", flush=True)
    runs = []
    if options.large:
        made = tempfile.TemporaryDirectory()
        more += ["--bundle", str(write_large_bundle(Path(made.name) / "large"))]
    for slices in sizes:
        runs.append(run(slices, samples, more))
        print(f"512 x 512 x {slices}: {runs[-1].total():.0f} s, load {runs[-1].load:.1f} before it", file=sys.stderr, flush=True)
    rows: list[list[object]] = [["slices the network saw", *(result.levels for result in runs)]]
    for stage in STAGES:
        rows.append([stage, *(_both(result, (stage,)) for result in runs)])
    rows.append(["after inference", *(_both(result, AFTER) for result in runs)])
    rows.append(["**whole run**", *(_both(result, STAGES) for result in runs)])
    rows.append(["peak memory, GiB", *(round(result.peak_mib / 1024, 2) for result in runs)])
    rows.append(["load before the run", *(round(result.load, 1) for result in runs)])
    print(markdown_table(["stage", *(f"512 x 512 x {result.slices}" for result in runs)], rows))
    if options.json:
        figures = {"machine": facts, "runs": [asdict(result) | {"total_s": result.total()} for result in runs]}
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def _both(result: Run, stages: tuple[str, ...]) -> str:
    return f"{result.total(stages):.1f} / {result.total(stages, of_processor=True):.1f}"


if __name__ == "__main__":
    main()

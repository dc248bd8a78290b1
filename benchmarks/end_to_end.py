"""A whole run beside the same run with the network as one writes it first: plain torch, all passes of every slice.

    python benchmarks/end_to_end.py [--slices N] [--rounds R] [--json FILE]

Both read the scan of `pipeline.py`, check it, segment, measure, rate and write it, in a process of their own, in turns; they differ
in the network alone. The plain one gets the same box around the body, computes in float32 with torch's own dropout, stacks the
passes of a slice and takes mean and variance; it keeps nothing that the lights need. Ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, machine, machine_line, markdown_table, write_scan
from inference import PLAIN, plain
from torch import nn

from MSKSegmentLib.bundle.manifest import NetworkSpec, Preprocessing
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.inference import predict as prediction
from MSKSegmentLib.inference.ct_slices import CTSlices
from MSKSegmentLib.inference.running_sums import SampledSlice
from MSKSegmentLib.inference.sampler import Sampling
from MSKSegmentLib.inference.slices import SliceReader, plan_slices
from MSKSegmentLib.network.bayesian_unet import BayesianUNet

USUAL, INT8 = "mskseg segment", "mskseg segment --int8"


def plain_predict(
    volume: CTVolume, network: nn.Module, spec: NetworkSpec, preprocessing: Preprocessing, sampling: Sampling, *_: Any
) -> prediction.Prediction:
    """In place of `inference.predict.predict`."""
    assert isinstance(network, BayesianUNet), "the bundle's family"
    run, plan = plain(network, "cpu"), plan_slices(volume, preprocessing, spec)
    slices = CTSlices(volume.hu.shape, plan)
    reader = SliceReader(volume, plan, preprocessing, spec.in_channels)
    for level in plan.levels:
        slices.add(float(level), SampledSlice(*run(reader.read(level), sampling.passes)))
    return prediction.Prediction(slices.classes, slices.uncertainty, (PLAIN,), drawn=(sampling.passes,) * len(plan.levels))


def run_plain(arguments: Sequence[str]) -> int:
    """`mskseg` with the plain network."""
    from MSKSegmentLib.commands.main import main as mskseg

    prediction.predict = plain_predict
    return mskseg(list(arguments))


def timed(command: Sequence[str]) -> tuple[float, float]:
    """Seconds of a child process on the clock and of the processor."""
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    clock, after = time.perf_counter() - began, os.times()
    return clock, after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Run all in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    facts = machine()
    print(f"{machine_line(facts)}\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        scan, out = Path(folder) / "scan.nii.gz", Path(folder) / "out"
        write_scan(scan, options.slices)
        segment = ["segment", str(scan), "-o", str(out), "--seed", "0", "--progress", "none"]
        # All passes, as the plain one draws them, and then as the bundle says.
        commands = {
            PLAIN: [sys.executable, __file__, "--plain", *segment, "--samples", "10"],
            f"{USUAL}, 10 passes": [sys.executable, "-m", "MSKSegmentLib", *segment, "--samples", "10"],
            USUAL: [sys.executable, "-m", "MSKSegmentLib", *segment],
            INT8: [sys.executable, "-m", "MSKSegmentLib", *segment, "--int8"],
        }
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                seconds[name].append(timed(command))
                print(f"{name}: {seconds[name][-1][0]:.1f} s", file=sys.stderr, flush=True)
    rows, figures = [], {}
    for name, found in seconds.items():
        clock, processor = (statistics.median(values) for values in zip(*found, strict=True))
        ratios = [statistics.median(np.divide(seconds[PLAIN], found)[:, k]) for k in (0, 1)]
        rows.append([name, round(clock, 1), round(processor, 1), *(round(ratio, 2) for ratio in ratios)])
        figures[name] = {"clock_s": clock, "processor_s": processor, "ratio": ratios[0], "processor_ratio": ratios[1]}
    head = [f"512 x 512 x {options.slices}, whole run", "clock, s", "processor, s", "ratio", "ratio, processor"]
    print(markdown_table(head, rows))
    if options.json:
        options.json.write_text(json.dumps({"machine": facts, "runs": figures}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--plain"]:
        raise SystemExit(run_plain(sys.argv[2:]))
    main()

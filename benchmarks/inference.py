"""What a Monte Carlo slice costs: the plain torch loop and every back end, same network, same slices, one run, ratios.

    python benchmarks/inference.py [--quick] [--device cpu|cuda] [--threads N] [--samples T] [--json FILE]

Two networks: the large one of the method (6 levels, width 32, 44 million parameters, untrained) on 512 x 512, and the bundle
that comes along on a slice of the sample CT. The plain loop is what one writes first: float32, torch's own dropout, all passes
stacked, mean and variance. Candidates take turns in every round, and a ratio is the median over the rounds, so that other work
on the machine meets all alike. JSON holds the ratios of the large network at its top level as ``ratio_<backend>``.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from common import ROOT, machine, machine_line, markdown_table
from torch import Tensor
from torch.nn import functional

from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.ct import read_ct
from MSKSegmentLib.inference.backends import BACKENDS, OPENVINO_INT8, Backend, make_backend
from MSKSegmentLib.inference.running_sums import RunningSums
from MSKSegmentLib.inference.slices import SliceReader, plan_slices
from MSKSegmentLib.network.bayesian_unet import BayesianUNet
from MSKSegmentLib.network.mc_dropout import MCDropout
from MSKSegmentLib.prepared_scan import prepare_scan

PLAIN = "plain torch"
SLICES = 500
SIDES, PASSES, COUNTS = (128, 256, 512), (1, 2, 5, 10, 20), (1, 2, 4, 8)
PRODUCT_SIDE = {"cpu": 2048, "cuda": 8192}

Slice = Callable[[Tensor, int], Any]


@dataclass(frozen=True)
class Subject:
    """A network in evaluation mode, the slice it gets, and how often it runs in a scan of `SLICES` slices."""

    name: str
    network: BayesianUNet
    image: Tensor
    levels: int


def large(side: int = 512) -> Subject:
    """The method's deeper network, untrained: time does not depend on what it has learnt."""
    torch.manual_seed(0)
    return Subject(f"6 levels, width 32, {side} x {side}", BayesianUNet().eval(), torch.rand(1, 1, side, side), SLICES)


def bundled() -> Subject:
    """The bundle that comes along, on the middle of the sample CT, cropped to the body."""
    bundle = resolve_bundle(None)
    manifest = bundle.manifest
    body = prepare_scan(read_ct(ROOT / "MSKSegmentLib" / "Resources" / "SampleCT" / "sample_ct.nii.gz")).body
    plan = plan_slices(body, manifest.preprocessing, manifest.network)
    reader = SliceReader(body, plan, manifest.preprocessing, manifest.network.in_channels)
    image = reader.read(float(plan.levels[len(plan.levels) // 2]))
    height, width = image.shape[-2:]
    return Subject(f"bundle {manifest.name}, {width} x {height}", bundle.load_network(), image, len(plan.levels))


def plain(network: BayesianUNet, device: str) -> Slice:
    """The plain loop as a function of passes."""
    network = copy.deepcopy(network).to(device).eval()
    for module in network.modules():
        if isinstance(module, MCDropout):
            module.forward = lambda x, p=module.p: functional.dropout(x, p, training=True)  # type: ignore[method-assign]

    @torch.inference_mode()
    def run(image: Tensor, passes: int) -> tuple[Tensor, Tensor]:
        image = image.to(device)
        drawn = torch.stack([network(image).softmax(dim=1)[0] for _ in range(passes)])
        return drawn.mean(dim=0).cpu(), drawn.var(dim=0, unbiased=False).mean(dim=0).cpu()

    return run


def sampled(backend: Backend) -> Slice:
    """A back end's slice, summed up as the engine does."""

    @torch.inference_mode()
    def run(image: Tensor, passes: int) -> None:
        draw, sums = backend.start(image, 0), RunningSums()
        while sums.passes < passes:
            sums.add(draw(min(backend.largest_batch, passes - sums.passes)))
        sums.result().uncertainty.cpu()

    return run


def candidates(subject: Subject, device: str) -> tuple[dict[str, Slice], dict[str, str]]:
    """The plain loop and all back ends that can run here; and why others cannot."""
    found, missing = {PLAIN: plain(subject.network, device)}, {}
    for name in (*BACKENDS, OPENVINO_INT8):
        if name == "torch-cuda" and not torch.cuda.is_available():
            missing[name] = "no GPU"
            continue
        try:
            found[name] = sampled(make_backend(name, subject.network, [subject.image]))
        except (ImportError, RuntimeError, ValueError) as error:
            missing[name] = str(error).splitlines()[0]
    return found, missing


def flop_per_pass(subject: Subject) -> int:
    """Two operations per multiplication and addition, of the layers as the method describes them."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        subject.network(subject.image)
    return counter.get_total_flops()


def peak_flops(device: str) -> dict[str, float]:
    """Operations per second of a large matrix product in each type: the practical limit, in this run, of a core or of the GPU.

    On a CPU in processor time, here and in the share of the peak, so that other work on the machine does not count.
    """
    side, rates = PRODUCT_SIDE[device], {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.rand(side, side, device=device).to(dtype)
        times = [_both_seconds(lambda a=a: (a @ a)[0, 0].item()) for _ in range(4)]
        rates[str(dtype).removeprefix("torch.")] = 2 * side**3 / min(time[device == "cpu"] for time in times[1:])
    return rates


def rounds(found: dict[str, Slice], image: Tensor, passes: int, count: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds on the clock and of the processor per slice, of each candidate in each round."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    for run in found.values():
        run(image, 1)
    for _ in range(count):
        for name, run in found.items():
            times[name].append(_both_seconds(lambda run=run: run(image, passes)))
    return times


def compare(subject: Subject, device: str, passes: int, count: int, peak: float) -> dict[str, Any]:
    """All candidates on one network; ratios are those to the plain loop in the same round."""
    found, missing = candidates(subject, device)
    times = rounds(found, subject.image, passes, count)
    flop = flop_per_pass(subject)
    rows = {}
    for name, measured in times.items():
        clock, processor = (statistics.median(pair[k] for pair in measured) for k in (0, 1))
        pairs = list(zip(times[PLAIN], measured, strict=True))
        rows[name] = {
            "ms_per_pass": 1000 * clock / passes,
            "processor_ms_per_pass": 1000 * processor / passes,
            "ratio_to_plain_torch": statistics.median(base[0] / own[0] for base, own in pairs),
            "processor_ratio_to_plain_torch": statistics.median(base[1] / own[1] for base, own in pairs),
            "share_of_peak": flop * passes / (processor if device == "cpu" else clock) / peak,
            "scan_minutes_extrapolated": clock * subject.levels / 60,
            "peak_memory_mib": None,
        }
    return {"network": subject.name, "gflop_per_pass": flop / 1e9, "levels": subject.levels, "rows": rows, "missing": missing}


def add_memory(result: dict[str, Any], which: str, device: str, passes: int) -> None:
    """The peak memory of a process that does nothing but one slice, for each candidate."""
    for name, row in result["rows"].items():
        command = [sys.executable, __file__, "--memory-of", which, name, "--device", device, "--samples", str(passes)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        row["peak_memory_mib"] = float(done.stdout.split()[-1])


def print_memory(which: str, name: str, device: str, passes: int) -> None:
    """Run one slice of one candidate; the peak of this process in MiB."""
    subject = large() if which == "large" else bundled()
    run = plain(subject.network, device) if name == PLAIN else sampled(make_backend(name, subject.network, [subject.image]))
    run(subject.image, passes)
    print(own_peak_mib())


def own_peak_mib() -> float:
    """The most memory this process has held."""
    try:
        # Linux: what getrusage says there includes the process that started this one.
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 2**10
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def scaling(subject: Subject, name: str, device: str) -> dict[str, dict[str, float]]:
    """Seconds of one back end against side, passes and slices: of the processor on a CPU, on the clock on a GPU."""
    run = sampled(make_backend(name, subject.network, [subject.image]))

    def cost(side: int, passes: int, slices: int = 1) -> float:
        image = torch.rand(1, subject.image.shape[1], side, side)
        # The first slice of a size may prepare the back end for it.
        run(image, 1)
        return _both_seconds(lambda: [run(image, passes) for _ in range(slices)])[device == "cpu"]

    middle = SIDES[1]
    return {
        "side, 2 passes": {str(side): cost(side, 2) for side in SIDES},
        f"passes, {middle} x {middle}": {str(passes): cost(middle, passes) for passes in PASSES},
        f"slices, 2 passes, {middle} x {middle}": {str(slices): cost(middle, 2, slices) for slices in COUNTS},
    }


def _both_seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """On the clock, and of the processor."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - cpu


def print_comparison(result: dict[str, Any], passes: int, count: int) -> None:
    """One network's table."""
    print(f"\n**{result['network']}**, {result['gflop_per_pass']:.1f} GFLOP per pass; {count} rounds of {passes} passes\n")
    head = ["", "ms per pass", "processor ms", "ratio", "ratio, processor", "share of peak", "scan, min*", "memory, MiB"]
    rows: list[list[object]] = []
    for name, row in result["rows"].items():
        peak = None if row["peak_memory_mib"] is None else round(row["peak_memory_mib"])
        ratios = [round(row[key], 2) for key in ("ratio_to_plain_torch", "processor_ratio_to_plain_torch")]
        share = f"{100 * row['share_of_peak']:.0f} %"
        times = [row["ms_per_pass"], row["processor_ms_per_pass"]]
        rows.append([name, *times, *ratios, share, row["scan_minutes_extrapolated"], peak])
    rows += [[name, "not measured: " + why, *[""] * 6] for name, why in result["missing"].items()]
    print(markdown_table(head, rows))
    print(f"\n*The network alone, {result['levels']} slices of {passes} passes, extrapolated from one slice.", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two rounds of two passes, without memory and scaling")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, help="processor threads (default: as torch chooses)")
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--memory-of", nargs=2, metavar=("NETWORK", "NAME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.memory_of:
        print_memory(*options.memory_of, options.device, options.samples)
        return
    passes, count = (2, 2) if options.quick else (options.samples, options.rounds)
    facts = machine()
    peaks = peak_flops(options.device)
    print(machine_line(facts))
    where = "core" if options.device == "cpu" else "GPU"
    rates = ", ".join(f"{kind} {rate / 1e9:.0f} GFLOP/s" for kind, rate in peaks.items())
    print(f"Matrix product, one {where}: {rates}", flush=True)
    results = {}
    for which, subject in (("large", large()), ("bundle", bundled())):
        results[which] = compare(subject, options.device, passes, count, max(peaks.values()))
        if not options.quick:
            add_memory(results[which], which, options.device, passes)
        print_comparison(results[which], passes, count)
    ratios = {name: row["ratio_to_plain_torch"] for name, row in results["large"]["rows"].items() if name != PLAIN}
    fastest = max(ratios, key=lambda name: ratios[name])
    curves = {} if options.quick else scaling(large(SIDES[0]), fastest, options.device)
    unit = "Processor seconds" if options.device == "cpu" else "Seconds"
    for name, curve in curves.items():
        print(f"\n{unit} of {fastest}, 6 levels and width 32, against {name}\n")
        print(markdown_table(list(curve), [[round(seconds, 3) for seconds in curve.values()]]), flush=True)
    facts["load_after"] = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else -1.0
    print(f"\nLoad at the end: {facts['load_after']}")
    if options.json:
        figures = {f"ratio_{name}": ratio for name, ratio in ratios.items()}
        figures |= {"machine": facts, "peak_flops": peaks, "networks": results, "scaling": curves}
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Learning from corrections on a shifted scanner: Dice coefficients before and after, and what was forgotten.

Virtual patients are scanned by one scanner that the bundle did not learn from (drifted HU, soft kernel, much noise), segmented, and
corrected by a perfect annotator: every segment becomes the true one and is accepted. ``mskseg learn`` does the rest. All of it goes
on where it was stopped.

    python benchmarks/learning.py OUT --atlas DIR --patients 10 --iterations 300
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import machine, machine_line

from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.ct.boxes import Box
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.learning.gathering import gather
from MSKSegmentLib.learning.plan import LearningPlan
from MSKSegmentLib.learning.report import comparison_lines
from MSKSegmentLib.learning.run import LearningCalls, learn
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.results.result_folder import CT, write_result
from MSKSegmentLib.review import ReviewSession
from MSKSegmentLib.settings import Settings
from MSKSegmentLib.virtual.acquisition import Acquisition
from MSKSegmentLib.virtual.atlas import load_atlases
from MSKSegmentLib.virtual.coverage import Coverage
from MSKSegmentLib.virtual.patient import VirtualPatient, make_patient, scan_specimen
from MSKSegmentLib.virtual.radiodensity import random_composition
from MSKSegmentLib.virtual.specimen import make_specimen

FIRST_SEED = 990_000
# Beyond what `random_acquisition` draws in each respect.
SHIFTED = Acquisition(blur_mm=2.2, slice_mm=3.5, noise_hu=45.0, grain_mm=1.8, scale=1.12, offset_hu=45.0, cupping_hu=25.0)


def shifted_patient(atlases, seed: int, grid_mm: tuple[float, float, float], length_mm: float) -> VirtualPatient:
    """A patient of the shifted scanner on a grid ``(z, y, x)``; the uppermost `length_mm` are kept."""
    specimen = make_specimen(atlases, seed, grid_mm)
    rng = np.random.default_rng((seed, 1))
    patient = scan_specimen(specimen, random_composition(rng, specimen.atrophy), SHIFTED, Coverage(), rng, grid_mm)
    return cut(patient, length_mm)


def cut(patient: VirtualPatient, length_mm: float) -> VirtualPatient:
    """The part of a scan from the top of the labelled structures downwards."""
    levels = np.flatnonzero(patient.labels.any(axis=(1, 2)))
    hu, geometry = patient.volume.hu, patient.volume.geometry
    last = int(levels[-1]) + 1
    first = max(0, last - round(length_mm / geometry.spacing[2]))
    kept = geometry.cropped((0, 0, first), (*geometry.size[:2], last - first))
    return replace(patient, volume=CTVolume(hu[first:last].copy(), kept), labels=patient.labels[first:last].copy())


def write_rehearsed(folder: Path, patient: VirtualPatient) -> None:
    """Write a patient of an ordinary scanner as a case with true labels."""
    import SimpleITK as sitk

    partial = folder.with_name(f".{folder.name}")
    partial.mkdir(parents=True, exist_ok=True)
    for name, array in (("ct.nii.gz", patient.volume.hu), ("labels.nii.gz", patient.labels)):
        sitk.WriteImage(patient.volume.geometry.image_of(array), str(partial / name))
    partial.rename(folder)


def write_reviewed(folder: Path, patient: VirtualPatient, bundle, passes: int) -> None:
    """Segment a patient, correct all of it to the truth, accept it, and write the result folder."""
    import SimpleITK as sitk

    volume = patient.volume
    result = segment_case(volume, bundle, Settings(device="cpu", passes=passes, seed=0))
    session = ReviewSession(result, volume, "annotator")
    session.edit_labels(Box((0, 0, 0), volume.geometry.size), patient.labels)
    for report in session.result.reports:
        session.accept(report.segment.key)

    def with_ct(partial: Path) -> None:
        sitk.WriteImage(volume.geometry.image_of(volume.hu), str(partial / CT), useCompression=True, compressionLevel=1)

    write_result(folder, session.result, extra=with_ct, history=session.history, automatic=session.automatic)


def main() -> None:
    """Make, correct, learn, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--atlas", type=Path, help="default: MSKSEG_ATLAS")
    parser.add_argument("--bundle", help="default: the one that comes along")
    parser.add_argument("--patients", type=int, default=10)
    parser.add_argument("--length-mm", type=float, default=400.0, help="of each scan, from the top")
    parser.add_argument("--grid", type=float, nargs=3, default=(3.0, 2.5, 2.5), metavar="MM", help="of the scans: z y x")
    parser.add_argument("--samples", type=int, default=2, help="dropout passes")
    parser.add_argument("--rehearsal-patients", type=int, default=6)
    parser.add_argument("--hold-out", type=float, default=0.3, metavar="S", help="share of the patients that judge")
    parser.add_argument("--iterations", type=int, default=300)
    options = parser.parse_args()
    print(machine_line(machine()), flush=True)
    bundle, atlases = resolve_bundle(options.bundle), load_atlases(options.atlas)
    grid = tuple(options.grid)
    for seed in range(FIRST_SEED, FIRST_SEED + options.patients):
        folder = options.output / "reviews" / f"patient_{seed}"
        if not folder.is_dir():
            write_reviewed(folder, shifted_patient(atlases, seed, grid, options.length_mm), bundle, options.samples)
            print(f"{folder.name}: corrected", flush=True)
    for seed in range(FIRST_SEED + 500, FIRST_SEED + 500 + options.rehearsal_patients):
        folder = options.output / "rehearsal" / f"patient_{seed}"
        if not folder.is_dir():
            write_rehearsed(folder, cut(make_patient(atlases, seed, grid), options.length_mm))
            print(f"{folder.name}: made for the rehearsal", flush=True)
    plan = LearningPlan(
        options.output / "bundle",
        rehearsal=options.output / "rehearsal",
        hold_out=options.hold_out,
        iterations=options.iterations,
        passes=options.samples,
        device="cpu",
    )
    calls = LearningCalls(say=lambda text: print(text, flush=True), report=lambda status: print(status, flush=True))
    end = learn(bundle, gather([options.output / "reviews"]), plan, calls)
    print(json.dumps({"published": end.bundle is not None, "reasons": list(end.outcome.reasons)}))
    for line in comparison_lines(end.outcome):
        print(line)


if __name__ == "__main__":
    main()

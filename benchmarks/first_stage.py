"""What a first stage that hides everything outside the skin does to a bundle that was trained without one.

    mskseg virtual -n 4 -o CASES --seed 93000 --abdomen
    python benchmarks/first_stage.py CASES... -o OUT [--bundle B] [--samples 3] [--margin 0] [--objects]

A case is a folder with ``ct.*`` and ``labels.*``, or a scan without labels. ``--objects`` puts between body and table what a
scanner's simulation lacks: a calibration phantom with rods, a cushion under the legs, a cable over the belly. ``OUT/rows.json``
gets a row per scan; runs that are in it are not repeated. Without labels the two results are compared with each other.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import machine, machine_line

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import resolve_bundle, save_bundle
from MSKSegmentLib.bundle.first_stage import FirstStage
from MSKSegmentLib.ct.cropping import body_mask
from MSKSegmentLib.ct.reading.files import read_ct
from MSKSegmentLib.ct.reading.label_maps import read_labels
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.settings import Settings

PLAIN, MASKED = "whole scan", "inside the skin"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--bundle")
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--margin", type=float, default=0.0)
    parser.add_argument("--objects", action="store_true")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    print(machine_line(machine()), flush=True)
    plain = resolve_bundle(options.bundle)
    bundles = {PLAIN: plain, MASKED: behind_skin(plain, options.output / f"skin{options.margin:g}", options.margin)}
    rows_file = options.output / "rows.json"
    rows = json.loads(rows_file.read_text()) if rows_file.exists() else {}
    for place in cases_in(options.scans):
        name = place.name + (" with objects" if options.objects else "")
        if name not in rows:
            rows[name] = judged(place, bundles, options)
            rows_file.write_text(json.dumps(rows, indent=1))
        print_row(name, rows[name])


def behind_skin(bundle, folder, margin):
    """The same network and calibration, behind a first stage."""
    preprocessing = replace(bundle.manifest.preprocessing, first_stage=FirstStage(margin_mm=margin))
    manifest = replace(bundle.manifest, preprocessing=preprocessing)
    state = bundle.load_network().state_dict()
    return save_bundle(folder, manifest, state, bundle.calibration, bundle.card, dtype="float32", replace_old=True)


def cases_in(places):
    for place in places:
        inner = sorted(entry for entry in place.iterdir() if (entry / "ct.nii.gz").exists()) if place.is_dir() else []
        yield from inner or [place]


def judged(place, bundles, options):
    scan = next((place / name for name in ("ct.nii.gz", "sample_ct.nii.gz") if (place / name).exists()), place)
    volume, truth = read_ct(scan), None
    for name in ("labels.nii.gz", "sample_labels.nii.gz"):
        if (place / name).exists():
            truth, _ = read_labels(place / name, HIP_AND_THIGH)
    if options.objects:
        volume = with_objects(volume)
    row, labels = {}, {}
    for kind, bundle in bundles.items():
        began = time.process_time()
        result = segment_case(volume, bundle, Settings("cpu", passes=options.samples, seed=1))
        labels[kind] = result.labels
        lights = [report.light.word for report in result.reports]
        row[kind] = {"lights": {word: lights.count(word) for word in sorted(set(lights))}, "seconds": time.process_time() - began}
        row[kind]["findings"] = [finding.code for finding in result.findings]
        if truth is not None:
            row[kind]["dice"] = dice(result.labels, truth)
    row["between"] = dice(labels[MASKED], labels[PLAIN])
    skin = body_mask(volume)
    if skin is not None:
        row["outside skin, cc"] = {
            kind: float(np.count_nonzero((found > 0) & ~skin) * volume.geometry.voxel_volume_mm3 / 1000)
            for kind, found in labels.items()
        }
    np.savez_compressed(options.output / f"{place.name}{'_objects' if options.objects else ''}.npz", **labels)
    return row


def dice(found, truth):
    """Of every label that the truth has, by its number."""
    values = {}
    for label in np.unique(truth[truth > 0]):
        one, other = found == label, truth == label
        values[int(label)] = float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))
    return values


def with_objects(volume):
    """A phantom slab with four rods below the body, a cushion, and a cable on the belly; axes superior, posterior, left."""
    hu = volume.hu.copy()
    skin = body_mask(volume)
    x, y, z = volume.geometry.spacing
    depth, height, width = hu.shape
    for k in range(depth):
        rows, columns = np.nonzero(skin[k])
        if not rows.size:
            continue
        middle, back, front = int(columns.mean()), rows.max(), rows.min()
        slab = slice(min(height - 1, back + 1), min(height, back + 1 + int(25 / y)))
        sides = slice(max(0, middle - int(130 / x)), min(width, middle + int(130 / x)))
        if 0.3 < k / depth < 0.75:
            # Water-like plastic with rods of 0 to 200 mg/cm3, as calibration phantoms are.
            hu[k, slab, sides] = np.where(skin[k, slab, sides], hu[k, slab, sides], 20)
            for number, rod in enumerate((-50, 50, 110, 210)):
                at = middle + int((number - 1.5) * 55 / x)
                columns_of = slice(max(0, at - int(10 / x)), at + int(10 / x))
                inner = slice(slab.start + int(5 / y), slab.stop - int(3 / y))
                hu[k, inner, columns_of] = np.where(skin[k, inner, columns_of], hu[k, inner, columns_of], rod)
        elif k / depth <= 0.3:
            # A foam cushion in a cover of 40 HU.
            hu[k, slab, sides] = np.where(skin[k, slab, sides], hu[k, slab, sides], -150)
            hu[k, slab.start : slab.start + 1, sides] = np.where(skin[k, slab.start : slab.start + 1, sides], 0, 40)
        if 0.6 < k / depth < 0.9:
            cable = slice(max(0, front - int(10 / y)), max(1, front - int(3 / y)))
            hu[k, cable, middle : middle + max(1, int(6 / x))] = 900
    return replace(volume, hu=hu)


def print_row(name, row):
    parts = []
    for kind in (PLAIN, MASKED):
        one = row[kind]
        mean = f"{np.mean(list(one['dice'].values())):.4f}" if "dice" in one else "-"
        parts.append(f"{kind}: Dice {mean}, {one['lights']}, {one['seconds']:.0f} s, {', '.join(one['findings']) or 'no findings'}")
    between = np.mean(list(row["between"].values()))
    print(
        f"{name}\n  {parts[0]}\n  {parts[1]}\n  between {between:.4f}, outside the skin {row.get('outside skin, cc')}", flush=True
    )


if __name__ == "__main__":
    main()

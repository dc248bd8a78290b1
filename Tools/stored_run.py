"""Store what a set of runs gives, bit by bit, to prove that a change of the code's structure changes no result.

    python Tools/stored_run.py before.json [--ct CT]      on the code as it was
    python Tools/stored_run.py after.json [--ct CT]       on the changed code, same machine
    python Tools/stored_run.py --compare before.json after.json

One CT is run as it is, with permuted and flipped axes, and on an oblique grid; each whole and with a region of interest, in full
and as a preview. Stored are the SHA-256 of labels and uncertainty, the volume and mean HU of every segment, and its light. Digests
can be compared on one machine only, since processors round differently.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from itertools import product
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from MSKSegmentLib.bundle import resolve_bundle  # noqa: E402
from MSKSegmentLib.ct import CTVolume, Geometry, read_ct  # noqa: E402
from MSKSegmentLib.ct.region import Region  # noqa: E402
from MSKSegmentLib.pipeline import segment_case  # noqa: E402
from MSKSegmentLib.settings import Settings  # noqa: E402

PASSES, SEED = 2, 7
TILT_DEGREES = 12.0


def permuted(volume: CTVolume) -> CTVolume:
    """The same voxels with axes in the order z, x, y and two of them flipped."""
    import SimpleITK as sitk

    image = sitk.Flip(sitk.PermuteAxes(volume.geometry.image_of(volume.hu), [2, 0, 1]), [True, False, True])
    return CTVolume(sitk.GetArrayFromImage(image), Geometry.of_image(image), volume.height_m)


def oblique(volume: CTVolume) -> CTVolume:
    """The scan resampled to slices that lie oblique to the body."""
    import SimpleITK as sitk

    image = volume.geometry.image_of(volume.hu)
    turn = sitk.Euler3DTransform(image.TransformContinuousIndexToPhysicalPoint([n / 2 for n in image.GetSize()]))
    turn.SetRotation(np.deg2rad(TILT_DEGREES), 0.0, 0.0)
    direction = np.reshape(turn.GetMatrix(), (3, 3)) @ np.asarray(volume.geometry.direction)
    origin = turn.TransformPoint(image.GetOrigin())
    resampled = sitk.Resample(
        image, image.GetSize(), sitk.Transform(), sitk.sitkLinear, origin, image.GetSpacing(), direction.ravel().tolist(), -1000
    )
    return CTVolume(sitk.GetArrayFromImage(resampled), Geometry.of_image(resampled), volume.height_m)


def middle(volume: CTVolume) -> Region:
    """The middle half of the scan along each axis."""
    corners = volume.geometry.to_physical([[n / 4 for n in volume.geometry.size], [3 * n / 4 for n in volume.geometry.size]])
    (x0, y0, z0), (x1, y1, z1) = corners
    return Region((x0, x1, y0, y1, z0, z1))


def store(path: Path, ct: Path) -> None:
    """Run every combination and write the digests."""
    bundle, plain, found = resolve_bundle(None), read_ct(ct), {}
    scans = {"plain": plain, "permuted": permuted(plain), "oblique": oblique(plain)}
    for (name, scan), part, preview in product(scans.items(), (False, True), (False, True)):
        settings = Settings("cpu", PASSES, SEED, region=middle(scan) if part else None, preview=preview)
        result = segment_case(scan, bundle, settings)
        key = f"{name}, {'region' if part else 'whole'}, {'preview' if preview else 'full'}"
        found[key] = {
            "labels": hashlib.sha256(result.labels.tobytes()).hexdigest(),
            "uncertainty": hashlib.sha256(result.uncertainty.tobytes()).hexdigest(),
            "measured": {
                report.segment.key: [report.measurements.volume_cc, report.measurements.mean_hu]
                for report in result.reports
                if report.measurements
            },
            "lights": {report.segment.key: report.light.value for report in result.reports},
        }
        print(f"{key}: labels {found[key]['labels'][:12]}, uncertainty {found[key]['uncertainty'][:12]}", flush=True)
    path.write_text(json.dumps(found, indent=1), encoding="utf-8")


def compare(before: Path, after: Path) -> int:
    """Print what differs; the exit code is 1 when anything does."""
    one, two = (json.loads(path.read_text(encoding="utf-8")) for path in (before, after))
    differing = [(key, what) for key in one for what in one[key] if one[key][what] != two.get(key, {}).get(what)]
    for key, what in differing:
        print(f"{key}: other {what}")
    print(f"{len(one)} runs, {len(differing)} differences")
    return 1 if differing or not one or set(one) != set(two) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--ct", type=Path, default=ROOT / "MSKSegmentLib" / "Resources" / "SampleCT" / "sample_ct.nii.gz")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"))
    options = parser.parse_args()
    if options.compare:
        sys.exit(compare(*options.compare))
    if options.out is None:
        parser.error("name the file to write, or --compare two files")
    store(options.out, options.ct)

"""Times of what the front ends do in the scene after a click or a stroke, on a 512 x 512 x 400 scan made from the sample CT.

python benchmarks/scene.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.boxes import box_of_labels
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.review.masks import SegmentMask
from MSKSegmentLib.scene import (
    HeadlessApplication,
    add_case,
    add_ct,
    ensure_closed_surface,
    put_mask,
    restore_session,
    show_density,
    store_session,
    take_edit,
    volume_of_node,
)

SAMPLE = Path(__file__).resolve().parents[1] / "MSKSegmentLib" / "Resources" / "SampleCT"
SIZE, FIELD_OF_VIEW_MM = (512, 512, 400), 600.0
KEY, LABEL = "GMAX_right", 4
REPEATS = 3


def main() -> None:
    volume, labels = large_scan()
    result = measure_case(labels, volume.geometry, volume)
    with HeadlessApplication() as application:
        scene = application.scene
        ct = add_ct(scene, volume)
        case, seconds = timed(lambda: add_case(scene, result, ct))
        report("add_case", [seconds])
        report("volume_of_node", [timed(lambda: volume_of_node(ct))[1] for _ in range(REPEATS)])
        session = restore_session(case, volume)
        nothing, one, put = [], [], []
        whole = mask_of(labels)
        cut = SegmentMask(whole.box, whole.mask.copy())
        cut.mask[:20] = False
        for number in range(4):
            put.append(timed(lambda n=number: put_mask(case.segmentation, KEY, whole if n % 2 else cut))[1])
            one.append(timed(lambda: take_edit(case.segmentation, session))[1])
            nothing.append(timed(lambda: take_edit(case.segmentation, session))[1])
        report("put_mask, one muscle", put)
        report("take_edit, one muscle changed", one)
        report("take_edit, nothing changed", nothing)
        session, seconds = timed(lambda: restore_session(case, volume_of_node(ct)))
        report("restore_session", [seconds])
        changed = {KEY: cut}
        report("ReviewSession.edit, one muscle", [timed(lambda: session.edit(changed))[1]])
        report("store_session after the first correction", [timed(lambda: store_session(case, session))[1]])
        report("store_session again", [timed(lambda: store_session(case, session))[1]])
        ensure = [timed(lambda: ensure_closed_surface(case.segmentation, [KEY]))[1] for _ in range(2)]
        report("ensure_closed_surface, one muscle, first", ensure[:1])
        report("ensure_closed_surface, one muscle, again", ensure[1:])
        report("show_density, one muscle", [timed(lambda: show_density(scene, ct, result, [KEY]))[1] for _ in range(REPEATS)])
        every = [segment.key for segment in HIP_AND_THIGH.segments]
        report("show_density, all muscles", [timed(lambda: show_density(scene, ct, result, every))[1]])


def large_scan() -> tuple[CTVolume, np.ndarray]:
    """The sample CT and its labels, resampled to a scanner's square field of view."""
    ct, labels = (sitk.ReadImage(str(SAMPLE / f"sample_{name}.nii.gz")) for name in ("ct", "labels"))
    x, y, z = (size * spacing for size, spacing in zip(ct.GetSize(), ct.GetSpacing(), strict=True))
    grid = sitk.Image(SIZE, sitk.sitkInt16)
    grid.SetSpacing((FIELD_OF_VIEW_MM / SIZE[0], FIELD_OF_VIEW_MM / SIZE[1], z / SIZE[2]))
    left, front, low = ct.GetOrigin()
    grid.SetOrigin((left - (FIELD_OF_VIEW_MM - x) / 2, front - (FIELD_OF_VIEW_MM - y) / 2, low))
    hu = sitk.Resample(ct, grid, sitk.Transform(), sitk.sitkLinear, -1000)
    map_ = sitk.Resample(labels, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    volume = CTVolume(sitk.GetArrayFromImage(hu), Geometry.of_image(hu))
    return volume, sitk.GetArrayFromImage(map_).astype(np.uint8)


def mask_of(labels: np.ndarray) -> SegmentMask:
    return SegmentMask.of_labels(labels, LABEL, box_of_labels(labels, [LABEL]))


def timed(call: Callable) -> tuple:
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def report(what: str, seconds: list[float]) -> None:
    print(f"{what:<45} {min(seconds):7.3f} s (best of {len(seconds)})", flush=True)


if __name__ == "__main__":
    main()

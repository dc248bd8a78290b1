"""Draw the density of a muscle on both sides of a labelled CT next to each other, seen from behind or from the front.

    python Docs/make_density_picture.py OUT.png [STRUCTURE [SIDE_OF_VIEW [CT LABELS]]]

STRUCTURE is an abbreviation of the anatomy table (GMAX when left out), SIDE_OF_VIEW "posterior" or "anterior". Without CT and
LABELS the bundled sample is drawn, whose right hip muscles are wasted and fatty.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import imageio.v3 as imageio
import numpy as np

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import CaseResult
from MSKSegmentLib.ct import read_ct, read_labels
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.review.histogram import Histogram, histogram_of
from MSKSegmentLib.scene import (
    HeadlessApplication,
    ThreeDView,
    add_ct,
    add_segmentation,
    bounds_ras,
    ensure_closed_surface,
    render_3d_png,
    show_density,
    show_only_3d,
)
from MSKSegmentLib.scene.density import density_look

SAMPLE = Path(__file__).resolve().parents[1] / "MSKSegmentLib" / "Resources" / "SampleCT"
PANEL = (620, 700)
# Around the larger of both muscles, in mm.
ROOM = 35.0
SEPARATOR = np.full((PANEL[1], 4, 3), 255, np.uint8)


def draw(out: Path, structure: str, viewed_from: str, ct: Path, labels: Path) -> None:
    """Write the picture: from behind the patient's left is on the left, from the front the right is."""
    volume = read_ct(ct)
    label_map, geometry = read_labels(labels, HIP_AND_THIGH)
    result: CaseResult = measure_case(label_map, geometry, volume)
    reports = {report.segment.key: report for report in result.reports}
    sides = ("left", "right") if viewed_from == "posterior" else ("right", "left")
    panels = []
    with HeadlessApplication(views=True) as application, tempfile.TemporaryDirectory() as folder:
        scene = application.scene
        ct_node = add_ct(scene, volume)
        node = add_segmentation(scene, result, ct_node)
        keys = [f"{structure}_{side}" for side in sides]
        ensure_closed_surface(node, keys)
        boxes = [np.reshape(bounds_ras(node, [key]), (3, 2)) for key in keys]
        half = max(np.ptp(box, axis=1).max() for box in boxes) / 2 + ROOM
        bones = [s.key for s in result.table.segments if s.structure.is_bone and s.key in reports]
        for key, box in zip(keys, boxes, strict=True):
            show_only_3d(node, bones)
            show_density(scene, ct_node, result, [key])
            middle = box.mean(axis=1)
            around = tuple(np.stack([middle - half, middle + half], axis=1).ravel())
            found = histogram_of(reports[key])
            title = f"{reports[key].segment.name}, {reports[key].measurements.volume_cc:.0f} cc"
            path = Path(folder) / f"{key}.png"
            render_3d_png(path, application.logic, scene, ThreeDView(viewed_from, around, PANEL, title, legend_of(found)))
            panels.append(imageio.imread(path)[..., :3])
    imageio.imwrite(out, np.concatenate([panels[0], SEPARATOR, panels[1]], axis=1))


def legend_of(histogram: Histogram) -> tuple:
    """The tissue classes with their shares and colours."""
    look = density_look()
    return tuple((f"{band.name} {band.percent:.0f} %", getattr(look, band.name).color) for band in histogram.bands)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 6:
        sys.exit(__doc__)
    defaults = ["GMAX", "posterior", SAMPLE / "sample_ct.nii.gz", SAMPLE / "sample_labels.nii.gz"]
    out, structure, viewed_from, ct, labels = [*sys.argv[1:], *defaults[len(sys.argv) - 2 :]]
    draw(Path(out), str(structure), str(viewed_from), Path(ct), Path(labels))

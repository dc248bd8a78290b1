"""Draw a result folder as PNG: slices of the CT with its segments and with the uncertainty overlay.

    python Docs/make_pictures.py CT RESULT OUT [LEVEL ...]

The README shows level 0.807 of the result that picture_result.py makes. Levels are fractions of the scan's length (0 inferior, 1
superior); without any, four are spread over it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import SimpleITK as sitk

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import CaseResult
from MSKSegmentLib.ct import read_ct, read_labels
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.scene import HeadlessApplication, add_ct, add_segmentation, add_uncertainty
from MSKSegmentLib.scene.slice_rendering import SliceView, render_slice_png


def draw(ct: Path, folder: Path, out: Path, levels: list[float]) -> None:
    """Write ``<name>_<percent>_segments.png`` and ``..._uncertainty.png`` for each level."""
    volume = read_ct(ct)
    labels, geometry = read_labels(folder / "segmentation.seg.nrrd", HIP_AND_THIGH)
    measured = measure_case(labels, geometry, volume)
    uncertainty = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "uncertainty.nrrd")))
    result = CaseResult(labels, volume.geometry, measured.reports, uncertainty)
    out.mkdir(parents=True, exist_ok=True)
    with HeadlessApplication(views=True) as application:
        node = add_ct(application.scene, volume)
        segments = add_segmentation(application.scene, result, node)
        overlay = add_uncertainty(application.scene, result, reference_volume_node=node)
        corners = volume.geometry.to_physical([[0, 0, 0], [size - 1 for size in volume.geometry.size]])[:, 2]
        for level in levels:
            z = float(min(corners) + level * abs(corners[1] - corners[0]))
            name = f"{folder.name}_{round(100 * level):03d}"
            for kind, shown in (("segments", {"segmentation_node": segments}), ("uncertainty", {"uncertainty_node": overlay})):
                view = SliceView("Axial", z, (1000, 700), folder.name)
                render_slice_png(out / f"{name}_{kind}.png", application.logic, node, view, **shown)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    draw(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), [float(v) for v in sys.argv[4:]] or [0.2, 0.5, 0.7, 0.85])

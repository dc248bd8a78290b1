"""Render the sample CT that comes along: a virtual patient with one worn hip and wasted, fatty gluteal muscles on that side.

    python Tools/make_sample_ct.py ATLAS OUT

ATLAS is a folder with ``vhf_labels.nrrd``; OUT receives ``sample_ct.nii.gz`` and ``sample_labels.nii.gz``.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.virtual.acquisition import Acquisition
from MSKSegmentLib.virtual.atlas import load_atlases
from MSKSegmentLib.virtual.build import random_build
from MSKSegmentLib.virtual.coverage import Coverage
from MSKSegmentLib.virtual.deformation import Shape
from MSKSegmentLib.virtual.disease import Disease
from MSKSegmentLib.virtual.patient import scan_specimen
from MSKSegmentLib.virtual.pose import LegPose
from MSKSegmentLib.virtual.radiodensity import MUSCLE_LABELS, random_composition
from MSKSegmentLib.virtual.specimen import build_specimen

SPACING_MM = (3.0, 2.0, 2.0)
SEED = 2026
# Right side: share of thickness lost, and share of fat, by class.
WASTED = {4: 0.25, 5: 0.38, 6: 0.42, 20: 0.3, 9: 0.15, 11: 0.2}
FATTY = {4: 0.32, 5: 0.36, 6: 0.42, 20: 0.35, 9: 0.15, 11: 0.22}
AIR_BELOW_HU = -900


def main(atlas: Path, out: Path) -> None:
    """Write CT and labels."""
    rng = np.random.default_rng(SEED)
    (body,) = (one for one in load_atlases(atlas) if one.name == "vhf")
    shape = Shape(
        scale=(1.02, 1.05, 1.03),
        tilt=(1.0, 0.8, -1.2),
        legs=(LegPose(flexion=4, abduction=-1, rotation=6, flattening=0.2, bulk=-0.04), LegPose(rotation=8, bulk=0.06)),
        bumps=((90.0, 3.5), (35.0, 1.0), (13.0, 0.3)),
        above=60.0,
        buttocks=0.04,
    )
    build = replace(
        random_build(rng, False), fat=17.0, belly=48.0, arms=False, table=True, clothes=False, male=False, gas_share=0.08
    )
    disease = Disease(dict(WASTED), (0.8, 0.1))
    specimen = build_specimen(body, shape, build, disease, SPACING_MM, rng, has_metal=False, facts={"seed": SEED})
    general = {label: float(rng.uniform(0.04, 0.1)) for label in MUSCLE_LABELS}
    what = replace(
        random_composition(rng, {}), infiltration={**general, **FATTY}, lean_hu=54.0, artery_hu=45.0, vein_hu=42.0,
        trabecular_hu=130.0, cortical_hu=1200.0, cortical_mm=1.1, patchy=0.6, septa=0.25, fascia=0.5,
    )  # fmt: skip
    scanner = Acquisition(blur_mm=0.7, slice_mm=1.2, noise_hu=9.0, grain_mm=0.7, beam_hardening_hu=10.0, starvation=0.5)
    patient = scan_specimen(specimen, what, scanner, Coverage(), rng, SPACING_MM)
    hu, labels = patient.volume.hu, patient.labels
    # Nothing is to be seen in air, and its noise would be most of the file.
    hu = np.where(hu < AIR_BELOW_HU, -1000, hu).astype(np.int16)
    inside = np.argwhere(hu[::4] > AIR_BELOW_HU)[:, 1:]
    (top, left), (bottom, right) = np.maximum(inside.min(axis=0) - 6, 0), inside.max(axis=0) + 7
    out.mkdir(parents=True, exist_ok=True)
    z, y, x = SPACING_MM
    for name, array in (("sample_ct", hu), ("sample_labels", labels)):
        cut = np.ascontiguousarray(array[:, top:bottom, left:right])
        geometry = Geometry(size=cut.shape[::-1], spacing=(x, y, z))
        sitk.WriteImage(geometry.image_of(cut), str(out / f"{name}.nii.gz"), useCompression=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

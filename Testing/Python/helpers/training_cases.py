"""Small cases with labels, for tests of training: a phantom whose muscle carries a label of the test's choice."""

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from conftest import phantom_hu

from MSKSegmentLib.bundle.manifest import NetworkSpec, Preprocessing
from MSKSegmentLib.training.recipes import Recipe

# The phantom's own grid, so that what was drawn can be compared voxel by voxel.
SPACING = (4.0, 4.0, 6.0)
PREPROCESSING = Preprocessing(in_plane_spacing_mm=4.0, slice_interval_mm=6.0)
SPEC = NetworkSpec(levels=3, base_filters=4, in_channels=3, dropout=0.25)


def classes_of(hu, muscle=13):
    """Classes of the phantom: femur, and one muscle."""
    return np.where(hu > 500, 2, np.where(hu > 0, muscle, 0)).astype(np.uint8)


def write_case(folder: Path, name: str, seed=0, muscle=13, labelled=None, flipped=False) -> Path:
    """``<folder>/<name>`` with ct.nii.gz and labels.nrrd; `flipped` stores the same body along other axes."""
    case = folder / name
    case.mkdir(parents=True)
    hu = phantom_hu(seed=seed)
    for file, array in (("ct.nii.gz", hu), ("labels.nrrd", classes_of(hu, muscle))):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(SPACING)
        sitk.WriteImage(sitk.DICOMOrient(image, "RAI" if flipped else "LPS"), str(case / file))
    if labelled is not None:
        (case / "labelled.json").write_text(json.dumps(labelled))
    return case


def labels_of(hu):
    """Labels of the phantom with sides: femora and adductors."""
    labels = classes_of(hu)
    half = hu.shape[2] // 2
    labels[:, :, half:][labels[:, :, half:] > 0] += 100
    return labels


def small_recipe(**changes) -> Recipe:
    """A recipe that trains a tiny network in a second or two."""
    settings = {"iterations": 40, "batch": 4, "crop": (48, 64), "checkpoint_every": 20, "average": 0.9}
    return Recipe(**{"network": SPEC, "preprocessing": PREPROCESSING, **settings, **changes})

"""Reviewed results of phantoms, made without a network: the automatic labels are the true ones, a little too small."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from conftest import phantom_hu
from training_cases import SPACING, labels_of

from MSKSegmentLib.ct.boxes import Box
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.results.result_folder import CT, write_result
from MSKSegmentLib.review import ReviewSession

# The phantom's segments: two femora, two muscles.
FEMORA, MUSCLES = ("FEMUR_right", "FEMUR_left"), ("ADD_right", "ADD_left")


def phantom_case(seed):
    """The CT and its true labels with sides."""
    hu = phantom_hu(seed=seed)
    return CTVolume(hu, Geometry(hu.shape[::-1], SPACING)), labels_of(hu)


def too_small(labels):
    """The labels without the hindmost rows of each muscle."""
    smaller = labels.copy()
    rows = slice(0, 26)
    smaller[:, rows][np.isin(smaller[:, rows], (13, 113))] = 0
    return smaller


def opened(seed=0):
    """A review of the phantom with that seed, and the true labels."""
    volume, truth = phantom_case(seed)
    result = measure_case(too_small(truth), volume.geometry, volume)
    return ReviewSession(result, volume, "annotator"), truth


def correct(session, truth, slices=slice(None)):
    """Draw the truth into these slices."""
    labels = session.result.labels.copy()
    labels[slices] = truth[slices]
    session.edit_labels(Box((0, 0, 0), labels.shape[::-1]), labels)


def write_reviewed(folder: Path, session) -> Path:
    """The result folder of a review, with its CT."""
    volume = session.volume

    def with_ct(partial):
        sitk.WriteImage(volume.geometry.image_of(volume.hu), str(partial / CT))

    write_result(folder, session.result, extra=with_ct, history=session.history, automatic=session.automatic)
    return folder


def write_corrected(folder: Path, seed) -> Path:
    """The result folder of a phantom of which everything is right and accepted."""
    session, truth = opened(seed)
    correct(session, truth)
    for report in session.result.reports:
        session.accept(report.segment.key)
    return write_reviewed(folder, session)

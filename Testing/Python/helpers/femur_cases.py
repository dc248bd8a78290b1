"""Virtual hips of known density, coarse enough for tests, and the description of their phantom as a file."""

import json
from dataclasses import replace

import numpy as np

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.proximal_femur.phantom import phantom_json
from MSKSegmentLib.proximal_femur.virtual_scan import EXAMPLE_PHANTOM, VirtualScanner, virtual_hips
from MSKSegmentLib.proximal_femur.virtual_shape import VirtualFemur

FEMUR = VirtualFemur("female", 22.0, 127.0, 13.0, 2.4, 1050.0, 170.0)
SCANNER = VirtualScanner(spacing=(1.5, 1.5, 2.0), slope=0.8, intercept=-5.0, noise_hu=12.0)


def coarse_hips(**scanner):
    """Both femora of one shape, and their labels with the numbers of hip and thigh."""
    hips = virtual_hips(FEMUR, FEMUR, replace(SCANNER, **scanner), seed=3)
    return hips, femur_labels(hips.labels)


def femur_labels(labels):
    """Labels of virtual hips in the numbers of hip and thigh."""
    numbers = np.zeros(256, np.uint8)
    numbers[1], numbers[2] = (HIP_AND_THIGH.segment(key).label for key in ("FEMUR_right", "FEMUR_left"))
    return numbers[labels]


def phantom_content(**changes):
    """The description of the example phantom, JSON-ready."""
    return {**phantom_json(EXAMPLE_PHANTOM), **changes}


def write_phantom(path, **changes):
    """Write such a description; returns its path."""
    path.write_text(json.dumps(phantom_content(**changes)), encoding="utf-8")
    return path

"""Small results for tests of the serving: a phantom's thighs labelled by threshold, with lights, on disk in a moment."""

from dataclasses import replace

import numpy as np

from MSKSegmentLib.case_result import Light, Scores
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.results.result_folder import CT, write_result
from MSKSegmentLib.results.segmentation_file import write_ct

# Femora and vasti of both sides: keys of the segments that the made results hold.
KEYS = ("FEMUR_right", "FEMUR_left", "VLVI_right", "VLVI_left")
# What is known of the first of them.
EVIDENCE = {
    "predicted_dice": 0.62,
    "dice_interval": (0.49, 0.68),
    "failure_probability": 0.95,
    "scores": Scores(pairwise_dice=0.77, low_slice_dice=0.52),
}
_LABELS = {"FEMUR": 2, "VLVI": 21}
_LEFT = 100


def make_case(folder, volume, lights=(), keep_ct=True, source=None):
    """Write a result of `volume`; `lights` gives some of `KEYS` another light than grey. Returns the folder."""
    labels = np.zeros(volume.hu.shape, np.uint8)
    labels[(volume.hu > 0) & (volume.hu < 200)] = _LABELS["VLVI"]
    labels[volume.hu > 500] = _LABELS["FEMUR"]
    left = labels[:, :, labels.shape[2] // 2 :]
    left[left > 0] += _LEFT
    result = measure_case(labels, volume.geometry, volume)
    chosen = dict(zip(KEYS, lights, strict=False))
    reports = tuple(replace(r, light=Light(chosen.get(r.segment.key, r.light))) for r in result.reports)
    reports = tuple(replace(r, **EVIDENCE) if r.segment.key == KEYS[0] else r for r in reports)
    result = replace(result, reports=reports, uncertainty=(labels > 0).astype(np.float32) * 1e-3)
    extra = (lambda partial: write_ct(partial / CT, volume)) if keep_ct else None
    write_result(folder, result, source, extra)
    return folder

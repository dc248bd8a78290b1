"""Simulated slices as a network behind a first stage sees them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..anatomy.built_in import HIP_AND_THIGH
from ..bundle.first_stage import WHOLE_BODY, FirstStage
from ..bundle.manifest import Preprocessing
from ..ct.cropping import body_mask, coarse_body
from ..ct.scan_mask import widened
from ..ct.volume import CTVolume, Geometry


def hide_outside(hu: Tensor, classes: Tensor, preprocessing: Preprocessing) -> None:
    """Put the first stage's fill outside its mask, in place: `hu` float32 ``[N, channels, h, w]``, `classes` of the slices in
    their middle ``[N, h, w]``, or of every plane ``[N, channels, h, w]``.

    The body inside its skin is found in each piece by the code that finds it in a scan. What a first network would find is the
    truth: running it on every simulated slice would take longer than the training.
    """
    stage, spacing = preprocessing.first_stage, preprocessing.in_plane_spacing_mm or 1.0
    assert stage is not None, "called where there is a first stage"
    depth, height, width = hu.shape[1:]
    geometry = Geometry((width, height, depth), (spacing, spacing, preprocessing.slice_interval_mm or spacing))
    for planes, labels in zip(hu, classes, strict=True):
        mask = _body(planes, geometry) if stage.kind == WHOLE_BODY else _structures(labels, stage, depth)
        planes[~torch.from_numpy(widened(mask, geometry, stage.margin_mm))] = stage.fill


def _body(planes: Tensor, geometry: Geometry) -> np.ndarray:
    volume = CTVolume(planes.round().clamp(-32768, 32767).to(torch.int16).numpy(), geometry)
    # A piece may show a part of a thigh alone, which is less than any body.
    body = coarse_body(volume, smallest_mm3=1.0)
    mask = None if body is None else body_mask(volume, body)
    return np.zeros(volume.hu.shape, bool) if mask is None else mask


def _structures(labels: Tensor, stage: FirstStage, depth: int) -> np.ndarray:
    wanted = [structure.index for structure in HIP_AND_THIGH.structures if structure.abbreviation in stage.structures]
    found = np.isin(labels.numpy(), wanted)
    return found if found.ndim == 3 else np.broadcast_to(found, (depth, *found.shape)).copy()

"""Simulated slices masked by a first stage, as the network reads them."""

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
    """Fill everything outside the first stage's mask, in place.

    `hu` is float32 ``[N, channels, h, w]``, `classes` those of the middle slices ``[N, h, w]`` or of all planes
    ``[N, channels, h, w]``. The mask of the whole body is found in each crop by the code that finds it in a scan. In place of a
    first network's result the true labels are taken: running it on every simulated slice would take longer than the training.
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
    # A crop may show only a part of a thigh, which is smaller than any body.
    body = coarse_body(volume, smallest_mm3=1.0)
    mask = None if body is None else body_mask(volume, body)
    return np.zeros(volume.hu.shape, bool) if mask is None else mask


def _structures(labels: Tensor, stage: FirstStage, depth: int) -> np.ndarray:
    wanted = [structure.index for structure in HIP_AND_THIGH.structures if structure.abbreviation in stage.structures]
    found = np.isin(labels.numpy(), wanted)
    return found if found.ndim == 3 else np.broadcast_to(found, (depth, *found.shape)).copy()

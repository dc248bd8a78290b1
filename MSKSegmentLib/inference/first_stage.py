"""The mask of a cascade's first stage on a scan: the body inside its skin, or what a first network finds.

Training and prediction share this module.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..bundle import ModelBundle
from ..bundle.first_stage import WHOLE_BODY, FirstStage
from ..ct.cropping import KEPT_SHARE, CoarseBody, body_mask, box_around
from ..ct.intensity import on_scale
from ..ct.modality import CT_MODALITY
from ..ct.orientation import WorkingGrid
from ..ct.scan_mask import has_flat_object, mask_problem, widened
from .predict import predict
from .sampler import Sampling

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class FirstStageRun:
    """Where a first network runs, and from which seed."""

    device: str = "cpu"
    seed: int = 0
    progress: Callable[[int, int], None] = lambda done, total: None
    checkpoint: Callable[[], None] = lambda: None


def stage_mask(
    stage: FirstStage, working: WorkingGrid, first: ModelBundle | None, run: FirstStageRun = FirstStageRun()
) -> tuple[np.ndarray | None, str | None]:
    """What the second network may see of a scan with a body, bool ``[z, y, x]`` on its working grid, and no problem; or no mask,
    and why the one that was found cannot be right, as the end of a sentence.

    `first` is the opened bundle of a stage of the kind "bundle". `run.progress` is called with (slices done, slices in all).

    Raises:
        BundleError: the first network's weights cannot be read.
        DeviceError: the device has too little memory for it.
    """
    volume, body = working.volume, working.body
    assert body is not None, "a scan without a body has been refused before"
    if stage.kind == WHOLE_BODY or first is None:
        mask = body_mask(volume, body)
        assert mask is not None, "there is a body"
        run.progress(1, 1)
    else:
        mask = _found_by(first, stage.structures, working, body, run)
    problem = mask_problem(mask, body, volume.geometry, stage.kind == WHOLE_BODY)
    if problem is None and stage.kind == WHOLE_BODY and volume.modality == CT_MODALITY and has_flat_object(mask, volume):
        problem = "its mask includes something flat under the body, such as a calibration phantom"
    _LOG.info("The first stage shows %.0f %% of the scan, problem: %s", 100 * mask.mean(), problem or "none")
    return (None, problem) if problem else (widened(mask, volume.geometry, stage.margin_mm), None)


def _found_by(
    first: ModelBundle, structures: tuple[str, ...], working: WorkingGrid, body: CoarseBody, run: FirstStageRun
) -> np.ndarray:
    """The structures that a first network finds, without small pieces; holes within a slice are filled."""
    from scipy import ndimage

    manifest, volume = first.manifest, working.volume
    box = box_around(body, volume.geometry)
    seen = on_scale(volume, body, manifest.preprocessing.intensity)
    part = replace(
        seen, hu=np.ascontiguousarray(seen.hu[box.slices]), geometry=volume.geometry.cropped(box.start_xyz, box.size_xyz)
    )
    sampling = Sampling(manifest.passes, run.seed, run.device)
    network, spec, preprocessing = first.load_network(), manifest.network, manifest.preprocessing
    prediction = predict(part, network, spec, preprocessing, sampling, run.progress, run.checkpoint, body.cropped(box))
    wanted = np.zeros(256, bool)
    for structure in first.table.structures:
        wanted[structure.index] = structure.abbreviation in structures
    found = wanted[prediction.classes]
    components, _ = ndimage.label(found)
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    kept = (sizes >= max(1, KEPT_SHARE * sizes.max()))[components]
    mask = np.zeros(volume.hu.shape, bool)
    mask[box.slices] = ndimage.binary_fill_holes(kept, np.ones((1, 3, 3), bool))
    return mask

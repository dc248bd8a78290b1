"""The scan of a labelled case as the network reads it at inference: on its intensity scale, masked by its first stage."""

from __future__ import annotations

from ..bundle.cascade import opened_first_stage
from ..bundle.manifest import Preprocessing
from ..ct import WorkingGrid
from ..ct.cropping import CoarseBody
from ..ct.intensity import on_scale
from ..ct.scan_mask import seen_through
from ..ct.volume import CTVolume
from ..errors import InputError
from ..inference.devices import choose_device
from ..inference.first_stage import FirstStageRun, stage_mask


def scan_as_seen(name: str, working: WorkingGrid, body: CoarseBody, preprocessing: Preprocessing) -> CTVolume:
    """The scan of the case `name` on its working grid, as the network reads it; `body` is the body found in it.

    Raises:
        InputError: the first stage fails on the scan.
        BundleError: the first stage's network is missing.
    """
    scaled, stage = on_scale(working.volume, body, preprocessing.intensity), preprocessing.first_stage
    if stage is None:
        return scaled
    with opened_first_stage(preprocessing, scaled.modality) as first:
        mask, problem = stage_mask(stage, working, first, FirstStageRun(choose_device("auto").name))
    if mask is None:
        raise InputError(f"The first stage fails on the case {name!r} ({problem}); take the case out of the folder.")
    return seen_through(scaled, mask, stage.fill)

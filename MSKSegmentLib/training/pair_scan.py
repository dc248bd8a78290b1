"""The scan of a case with labels as the network sees it in use: on its scale, and behind the mask of its first stage."""

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
    """The scan of the case of that name on its working grid, of which `body` is the body.

    Raises:
        InputError: the first stage fails on it.
        BundleError: its network is missing.
    """
    seen, stage = on_scale(working.volume, body, preprocessing.intensity), preprocessing.first_stage
    if stage is None:
        return seen
    with opened_first_stage(preprocessing, seen.modality) as first:
        mask, problem = stage_mask(stage, working, first, FirstStageRun(choose_device("auto").name))
    if mask is None:
        raise InputError(f"The first stage fails on the case {name!r} ({problem}); take the case out of the folder.")
    return seen_through(seen, mask, stage.fill)

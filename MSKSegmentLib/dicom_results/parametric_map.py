"""The voxel uncertainty of a result as a DICOM Parametric Map (float32), on the slices that were scanned."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..case_result import CaseResult
from ..results.segmentation_file import uncertainty_of
from .codes import ONE, UNCERTAINTY_MAP
from .identity import Identity, concept, finish
from .source import SourceSeries, by_frames

_NAME = "uncertainty"
# What viewers show from black to white: beyond, structures are about to fail.
_WINDOW_PERCENTILE = 99.5


def make_uncertainty_map(result: CaseResult, source: SourceSeries, identity: Identity) -> Any:
    """A Parametric Map data set that holds the numbers of ``uncertainty.nrrd`` unchanged, one frame for each scanned slice.

    Raises:
        InputError: the result holds no uncertainty.
    """
    from highdicom import VOILUTTransformation
    from highdicom.pm import ParametricMap, RealWorldValueMapping

    frames = np.ascontiguousarray(by_frames(source, uncertainty_of(result)))
    seen = frames[frames > 0]
    width = float(np.percentile(seen, _WINDOW_PERCENTILE)) if seen.size else 1.0
    mapping = RealWorldValueMapping(
        lut_label="UNCERTAINTY",
        lut_explanation=UNCERTAINTY_MAP.meaning,
        unit=concept(ONE),
        value_range=(0.0, float(frames.max(initial=0.0)) or 1.0),
        slope=1.0,
        intercept=0.0,
        quantity_definition=concept(UNCERTAINTY_MAP),
    )
    data = ParametricMap(
        source_images=list(source.images),
        pixel_array=frames,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[VOILUTTransformation(0.5 * width, width, voi_lut_function="LINEAR_EXACT")],
        content_label="UNCERTAINTY",
        content_description=UNCERTAINTY_MAP.meaning,
        **identity.series(_NAME, 3, "uncertainty map"),
    )
    # Both legs are shown; the attribute has to be there all the same.
    data.Laterality = ""
    return finish(data, identity, source.first)

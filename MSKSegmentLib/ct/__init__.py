"""Scans (CT and MR): reading, checks, the working grid, the body. Importing it loads numpy only."""

from ..findings import Finding
from .boxes import Box
from .checks.volume import check_volume, refuse
from .cropping import body_box, body_mask
from .label_grid import PlacedLabels, match_voxels, place_labels
from .orientation import WorkingGrid, resample_labels, to_working_grid
from .reading.dicom.series import SeriesInfo, list_series
from .reading.files import FORMATS, read_ct, read_labels, read_thin_ct
from .reading.label_maps import LabelMap, read_label_map
from .volume import CTVolume, Geometry

__all__ = [
    "FORMATS",
    "Box",
    "CTVolume",
    "Finding",
    "Geometry",
    "LabelMap",
    "PlacedLabels",
    "SeriesInfo",
    "WorkingGrid",
    "body_box",
    "body_mask",
    "check_volume",
    "list_series",
    "match_voxels",
    "place_labels",
    "read_ct",
    "read_label_map",
    "read_labels",
    "read_thin_ct",
    "refuse",
    "resample_labels",
    "to_working_grid",
]

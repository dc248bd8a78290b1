"""Results as MRML nodes: segmentation, uncertainty, scene files and rendered slices.

Everything here needs ``slicer`` (desktop Slicer or slicer-core), which is imported by the functions that use it.
"""

from .application import HeadlessApplication
from .scene_file import save_scene
from .segmentation import absent_segments, add_segmentation, segment_labels, update_tags, write_seg_nrrd
from .slice_rendering import SliceView, render_slice_png
from .uncertainty import add_ct, add_uncertainty

__all__ = [
    "HeadlessApplication",
    "SliceView",
    "absent_segments",
    "add_ct",
    "add_segmentation",
    "add_uncertainty",
    "render_slice_png",
    "save_scene",
    "segment_labels",
    "update_tags",
    "write_seg_nrrd",
]

"""Results as MRML nodes: segmentation, uncertainty, density, charts, the state of a review, scene files and pictures.

Everything here needs ``slicer`` (desktop Slicer or slicer-core), which is imported by the functions that use it.
"""

from .application import HeadlessApplication
from .case_nodes import CaseNodes, add_case, find_case_nodes, restore_session, store_session, stored_modality
from .ct_window import set_bone_window
from .density import hide_density, show_density
from .edits import ensure_segment, put_edit, put_mask, take_edit
from .foreign_segmentation import hide_segmentation, write_foreign_segmentation
from .histogram import show_histogram
from .label_map import segment_labels
from .navigation import jump_to, look_at, ras_of_lps
from .overlay import set_uncertainty_overlay
from .scene_file import save_scene
from .segmentation import absent_segments, add_segmentation, update_tags, write_seg_nrrd
from .slice_rendering import SliceView, render_slice_png
from .surfaces import bounds_ras, ensure_closed_surface, show_only_3d
from .three_d_rendering import ThreeDView, render_3d_png
from .uncertainty import add_ct, add_uncertainty, uncertainty_range
from .volume_node import volume_of_node

__all__ = [
    "CaseNodes",
    "HeadlessApplication",
    "SliceView",
    "ThreeDView",
    "absent_segments",
    "add_case",
    "add_ct",
    "add_segmentation",
    "add_uncertainty",
    "bounds_ras",
    "ensure_closed_surface",
    "ensure_segment",
    "find_case_nodes",
    "hide_density",
    "hide_segmentation",
    "jump_to",
    "look_at",
    "put_edit",
    "put_mask",
    "ras_of_lps",
    "render_3d_png",
    "render_slice_png",
    "restore_session",
    "stored_modality",
    "save_scene",
    "segment_labels",
    "set_bone_window",
    "set_uncertainty_overlay",
    "show_density",
    "show_histogram",
    "show_only_3d",
    "store_session",
    "take_edit",
    "uncertainty_range",
    "update_tags",
    "volume_of_node",
    "write_foreign_segmentation",
    "write_seg_nrrd",
]

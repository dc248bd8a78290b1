"""What the page shows, by the names that the templates use, before anything is open."""

from __future__ import annotations

from typing import Any

from ...review.columns import columns_of
from ...tasks import HIP_THIGH_CT, Task
from ..case.documents import DOCUMENTS
from ..views.four_views import LETTERS, SLICES, VIEW_NAMES, WINDOWS

# Columns that a narrow table keeps: enough to see what is wrong and how large the muscle is.
_NARROW = {"light", "structure", "side", "volume_cc", "mean_hu", "fat_percent", "predicted_dice", "dice_good_from", "state"}
# Desktop and browser share the columns; here the headings have to be short.
_SHORT = {
    "volume_cc_per_m2": "Vol./height²",
    "mean_hu": "Density",
    "composite_percent": "Comp.",
    "asymmetry_percent": "Asym.",
    "predicted_dice": "Pred. Dice",
}

STAGE_TITLES = {
    "checks": "Checks",
    "inference": "Network",
    "segmentation": "Sides",
    "measurement": "Measuring",
    "writing": "Writing",
}

KEYS = {
    "N": "Next flagged segment",
    "A": "Accept the selected segment",
    "E": "Correct the selected segment, or end the correction",
    "P / X": "Paint or erase",
    "Ctrl+Z / Ctrl+Y": "Undo or redo a correction",
    "O": "Another result of this CT beside this one",
    "B": "Both sides: right and left beside each other",
    "J / K": "Next or previous row; in the table also ↓ / ↑",
    "[ / ]": "Worse or better of the slices to look at first",
    "↑ / ↓, Page ↑ / ↓": "One or ten slices, in the view under the mouse",
    "1 / 2": "Soft tissue or bone window",
    "S": "Segments in the slices, or the bare scan",
    "C": "Cross-hair",
    "U": "Uncertainty overlay",
    "D": "Density of the selected muscle in 3D",
    "R": "Fit the whole scan into the views",
    "H": "History",
    "?": "This list",
}

# Paint, erase and scissors need the left button; what it does otherwise is then done with other keys and buttons.
MOUSE = {
    "Wheel": "Through the slices",
    "Ctrl + wheel, right drag": "Zoom",
    "Middle drag, Shift + drag": "Move the picture; while a tool draws, with the middle button",
    "Drag": "Window: to the right wider, upwards brighter. While a tool draws, the left button draws, and 1 or 2 choose the window",
    "Click": "The other views come to this point, and the cross-hair marks it",
    "Shift + move": "The other views follow the mouse, also while a tool draws",
    "In 3D": "Drag turns, wheel or right drag zooms, middle drag moves",
}


def initial_state(dark: bool = False, task: Task = HIP_THIGH_CT) -> dict[str, Any]:
    """The state of a page that nothing was opened in yet; `task` is what new scans are segmented for."""
    scan = task.words.scan
    return {
        "theme": "dark" if dark else "light",
        "watching": "",
        "open_title": "Open a CT" if scan == "CT" else f"Open a scan: {scan}",
        "open_text": f"{'A CT of hip and thigh' if task == HIP_THIGH_CT else task.title}.",
        "open_scan": task.modality,
        **_start(),
        **_case(),
        **_views(),
        **_editing(),
        **_comparison(),
    }


def _comparison() -> dict[str, Any]:
    """Another result of the CT; `compare_name` is empty while none is held beside the open one."""
    return {
        "compare_others": [],
        "compare_name": "",
        "compare_source": "",
        "compare_rows": [],
        "compare_not_drawn": [],
        "compare_summary": "",
        "compare_key": "",
        "compare_pictures": [],
        "compare_busy": False,
        "compare_outdated": False,
        "disagreement_on": False,
    }


def _start() -> dict[str, Any]:
    return {
        "view_page": "start",
        "problem": "",
        "problem_details": "",
        "notice": "",
        "can_upload": False,
        "can_list": False,
        "sample_available": False,
        "upload_limit": "",
        "upload_name": "",
        "upload_percent": 0.0,
        "results": [],
        "series": [],
        "run_message": "",
        "run_percent": 0.0,
        "run_eta": "",
        "run_stages": [],
        "dialog": "",
        "helps": [
            {"title": title, "keys": [{"key": key, "text": text} for key, text in keys.items()]}
            for title, keys in (("Keyboard", KEYS), ("Mouse, in the slices", MOUSE))
        ],
    }


def task_state(task: Task) -> dict[str, Any]:
    """What of the page follows from the task of the open result: columns, words, and tools for densities where there are some."""
    columns = [
        {
            "name": column.name,
            "title": _SHORT.get(column.name, column.title),
            "unit": column.unit,
            "tooltip": f"{column.heading}. {column.tooltip}",
            "numeric": column.numeric,
            "narrow": column.name in _NARROW,
        }
        for column in columns_of(task)
    ]
    windows = [
        {"name": name, "title": title, "tooltip": f"Window {window:g} HU, level {level:g} HU"}
        for name, (title, window, level) in WINDOWS.items()
    ]
    if not task.in_hounsfield:
        windows = [{"name": "soft", "title": "Usual", "tooltip": "All but the darkest and the brightest voxels"}]
    modes = [
        {"name": "segment", "title": "Segment", "tooltip": "The selected segment among the bones"},
        {"name": "density", "title": "Density", "tooltip": "Fat, composite and lean tissue inside the selected segment (D)"},
        {"name": "all", "title": "All", "tooltip": "All segments"},
    ]
    return {
        "columns": columns,
        "windows": windows,
        "threed_modes": [mode for mode in modes if mode["name"] != "density" or task.measures("composition")],
        "scan_word": task.words.scan,
        "has_hu": task.in_hounsfield,
    }


def _case() -> dict[str, Any]:
    return {
        **task_state(HIP_THIGH_CT),
        "case_name": "",
        "documents": [{"name": name, "title": title} for name, title in DOCUMENTS.items()],
        "making": "",
        "read_only": "",
        "warnings": [],
        "rows": [],
        "row_total": 0,
        "counts": [],
        "flagged_left": 0,
        "sort_column": "",
        "sort_descending": False,
        "filter_text": "",
        "filter_flagged": False,
        "filter_group": "",
        "groups": [],
        "filter_side": "",
        "table_wide": False,
        "selected": "",
        "selected_row": {},
        "histogram": None,
        "sides": {"name": ""},
        "thumbnails": [],
        "worst_shown": -1,
        "history": [],
        "saved_text": "",
    }


def _views() -> dict[str, Any]:
    layouts = [
        {"name": "axial", "title": "Axial", "tooltip": "Large axial slice"},
        {"name": "four", "title": "Four", "tooltip": "Four views of one size"},
        {"name": "threed", "title": "3D", "tooltip": "Large 3D view"},
    ]
    places = ("left", "right", "top", "bottom")
    return {
        "slice_names": VIEW_NAMES,
        "slice_letters": {name: dict(zip(places, letters, strict=True)) for name, letters in LETTERS.items()},
        # Where each slice lies and may lie; the views fill this in.
        **{f"slice_{name}": None for name in SLICES},
        **{f"offset_{name}": 0.0 for name in SLICES},
        "window_preset": "soft",
        "window_text": "",
        "segments_on": True,
        "crosshair_on": True,
        "overlay_possible": False,
        "overlay_on": False,
        "overlay_opacity": 60,
        "overlay_ramp": "",
        "overlay_top": "",
        "threed_mode": "segment",
        "threed_note": "",
        "density_bands": [],
        "layouts": layouts,
        "layout": "axial",
    }


def _editing() -> dict[str, Any]:
    tools = [
        ("paint", "Paint", "Add to the segment (P)"),
        ("erase", "Erase", "Take away from the segment (X)"),
        ("scissors", "Scissors", "Draw around a region to cut it away or to fill it"),
        ("threshold", "Threshold", "Keep the part of the segment within a range of values"),
        ("smooth", "Smooth", "Make the segment's surface smoother"),
        ("islands", "Islands", "Remove loose pieces"),
    ]
    return {
        "editing": False,
        "tools": [{"name": name, "title": title, "tooltip": tooltip} for name, title, tooltip in tools],
        "active_tool": "",
        "brush_mm": 14,
        "brush_sphere": False,
        "scissors_mode": "erase_inside",
        "scissors_slice": True,
        "threshold_low": -30,
        "threshold_high": 300,
        "smooth_mode": "median",
        "smooth_mm": 3.0,
        "islands_mode": "keep_largest",
        "islands_voxels": 100,
        "busy_tool": False,
        "can_undo": False,
        "can_redo": False,
    }

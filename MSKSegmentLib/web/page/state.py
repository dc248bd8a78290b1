"""What the page shows, by the names that the templates use, before anything is open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...language.catalogue import OWN_NAMES, languages, spoken, tr
from ...language.catalogue import noted as N_
from ...review.columns import SITE_COLUMNS, Column, columns_of
from ...tasks import HIP_THIGH_CT, Task
from ..case.documents import DOCUMENTS
from ..views.four_views import LETTERS, SLICES, VIEW_NAMES, WINDOWS
from .earlier_panel import earlier_state, earlier_words
from .markup import page_texts

# Columns that a narrow table keeps: enough to see what is wrong and how large the muscle is.
_NARROW = {"light", "structure", "side", "volume_cc", "mean_hu", "fat_percent", "predicted_dice", "dice_good_from", "state"}
# Who names a reference wants to see it.
_NARROW |= {column.name for column in SITE_COLUMNS.values()}
# Desktop and browser share the columns; here the headings have to be short.
_SHORT = {
    "volume_cc_per_m2": N_("Vol./height²"),
    "mean_hu": N_("Density"),
    "composite_percent": N_("Comp."),
    "asymmetry_percent": N_("Asym."),
    "predicted_dice": N_("Pred. Dice"),
}

STAGE_TITLES = {
    "checks": N_("Checks"),
    "inference": N_("Network"),
    "segmentation": N_("Sides"),
    "measurement": N_("Measuring"),
    "writing": N_("Writing"),
}

KEYS = {
    "N": N_("Next flagged segment"),
    "A": N_("Accept the selected segment"),
    "E": N_("Correct the selected segment, or end the correction"),
    "P / X": N_("Paint or erase"),
    "Ctrl+Z / Ctrl+Y": N_("Undo or redo a correction"),
    "O": N_("Another result of this CT beside this one"),
    "T": N_("Earlier scan of this patient: what changed over time"),
    "B": N_("Both sides: right and left beside each other"),
    "J / K": N_("Next or previous row; in the table also ↓ / ↑"),
    "[ / ]": N_("Worse or better of the slices to look at first"),
    "↑ / ↓, Page ↑ / ↓": N_("One or ten slices, in the view under the mouse"),
    "1 / 2": N_("Soft tissue or bone window"),
    "S": N_("Segments in the slices, or the bare scan"),
    "C": N_("Cross-hair"),
    "U": N_("Uncertainty overlay"),
    "D": N_("Density of the selected muscle in 3D"),
    "R": N_("Fit the whole scan into the views"),
    "H": N_("History"),
    "?": N_("This list"),
}

# Paint, erase and scissors need the left button; what it does otherwise is then done with other keys and buttons.
MOUSE = {
    N_("Wheel"): N_("Through the slices"),
    N_("Ctrl + wheel, right drag"): N_("Zoom"),
    N_("Middle drag, Shift + drag"): N_("Move the picture; while a tool draws, with the middle button"),
    N_("Drag"): N_(
        "Window: to the right wider, upwards brighter. While a tool draws, the left button draws, and 1 or 2 choose the window"
    ),
    N_("Click"): N_("The other views come to this point, and the cross-hair marks it"),
    N_("Shift + move"): N_("The other views follow the mouse, also while a tool draws"),
    N_("In 3D"): N_("Drag turns, wheel or right drag zooms, middle drag moves"),
}


def initial_state(dark: bool = False) -> dict[str, Any]:
    """The state of a page that nothing was opened in yet."""
    return {
        "theme": "dark" if dark else "light",
        "watching": "",
        **opening_words(),
        **page_words(),
        **_start(),
        **_case(),
        **_views(),
        **_editing(),
        **_comparison(),
        **earlier_state(),
    }


def opening_words(task: Task = HIP_THIGH_CT, tasks: Sequence[Task] = ()) -> dict[str, Any]:
    """What the start page says of the scans that are taken, those of a `task`; another one of `tasks` can be chosen."""
    scan = task.words.scan
    return {
        "open_scan": task.modality,
        "open_task": task.name,
        "open_tasks": [{"name": one.name, "title": tr(one.title)} for one in tasks] if len(tasks) > 1 else [],
        "open_title": tr("Open a CT") if scan == "CT" else tr("Open a scan: {scan}").format(scan=tr(scan)),
        "open_text": tr("A CT of hip and thigh.") if task == HIP_THIGH_CT else tr("{sentence}.").format(sentence=tr(task.title)),
    }


def page_words() -> dict[str, Any]:
    """What of the page is words alone, in its language."""
    tools = [
        ("paint", tr("Paint"), tr("Add to the segment (P)")),
        ("erase", tr("Erase"), tr("Take away from the segment (X)")),
        ("scissors", tr("Scissors"), tr("Draw around a region to cut it away or to fill it")),
        ("threshold", tr("Threshold"), tr("Keep the part of the segment within a range of values")),
        ("smooth", tr("Smooth"), tr("Make the segment's surface smoother")),
        ("islands", tr("Islands"), tr("Remove loose pieces")),
    ]
    layouts = [
        ("axial", tr("Axial"), tr("Large axial slice")),
        ("four", tr("Four"), tr("Four views of one size")),
        ("threed", tr("3D"), tr("Large 3D view")),
    ]
    helps = (
        (tr("Keyboard"), KEYS.items()),
        (tr("Mouse, in the slices"), ((tr(key), text) for key, text in MOUSE.items())),
    )
    return {
        "language": spoken(),
        "languages": [{"code": code, "name": OWN_NAMES.get(code, code)} for code in languages()],
        "words": [tr(text) for text in page_texts()],
        "earlier_words": earlier_words(),
        "tools": _titled(tools),
        "layouts": _titled(layouts),
        "slice_names": {name: tr(text) for name, text in VIEW_NAMES.items()},
        "documents": [{"name": name, "title": tr(title)} for name, title in DOCUMENTS.items()],
        "helps": [{"title": title, "keys": [{"key": key, "text": tr(text)} for key, text in keys]} for title, keys in helps],
    }


def _titled(entries: list[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "title": title, "tooltip": tooltip} for name, title, tooltip in entries]


def _comparison() -> dict[str, Any]:
    """Another result of the CT; `compare_name` is empty while none is held beside the open one."""
    return {
        "compare_others": [],
        "compare_name": "",
        "compare_source": "",
        "compare_rows": [],
        "compare_not_drawn": [],
        "compare_legend": [],
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
    }


def column_state(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The columns of the table as the page shows them."""
    return [
        {
            "name": column.name,
            "title": tr(_SHORT.get(column.name, column.english_title)),
            "unit": column.unit,
            "tooltip": tr("{sentence}.").format(sentence=column.heading) + f" {column.tooltip}",
            "numeric": column.numeric,
            "narrow": column.name in _NARROW,
        }
        for column in columns
    ]


def task_state(task: Task) -> dict[str, Any]:
    """What of the page follows from the task of the open result: columns, words, and tools for densities where there are some."""
    windows = [
        {
            "name": name,
            "title": tr(title),
            "tooltip": tr("Window {window} HU, level {level} HU").format(window=f"{window:g}", level=f"{level:g}"),
        }
        for name, (title, window, level) in WINDOWS.items()
    ]
    if not task.in_hounsfield:
        windows = [{"name": "soft", "title": tr("Usual"), "tooltip": tr("All but the darkest and the brightest voxels")}]
    modes = [
        ("segment", tr("Selected"), tr("The selected segment among the bones")),
        ("density", tr("Density"), tr("Fat, composite and lean tissue inside the selected segment (D)")),
        ("all", tr("All"), tr("All segments")),
    ]
    return {
        "columns": column_state(columns_of(task)),
        "windows": windows,
        "threed_modes": _titled([mode for mode in modes if mode[0] != "density" or task.measures("composition")]),
        "scan_word": tr(task.words.scan),
        "has_hu": task.in_hounsfield,
    }


def _case() -> dict[str, Any]:
    return {
        **task_state(HIP_THIGH_CT),
        "case_name": "",
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
        "site_source": "",
        "site_age": "",
        "site_sex": "",
        "sides": {"name": ""},
        "thumbnails": [],
        "worst_shown": -1,
        "history": [],
        "saved_text": "",
    }


def _views() -> dict[str, Any]:
    places = ("left", "right", "top", "bottom")
    return {
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
        "layout": "axial",
    }


def _editing() -> dict[str, Any]:
    return {
        "editing": False,
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

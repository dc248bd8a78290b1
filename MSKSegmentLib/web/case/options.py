"""What ``mskseg review`` was asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any

from ...bundle import resolve_bundle, tasks_at_hand
from ...ct.reading.dicom.headers import image_paths, read_slice_headers
from ...errors import InputError, shown
from ...learning.choice_list import read_choice_list
from ...review.source_ct import find_ct, input_of
from ...settings import Settings
from ...site_reference.curves import SiteReference
from ...tasks import HIP_THIGH_CT, Task, load_task
from .result_list import is_result, list_results

LOOPBACK = "127.0.0.1"
# A folder with this many files before the first DICOM image is not one scan.
_MOST_LOOKS = 300


class Target(Enum):
    """What the page begins with."""

    NOTHING = "nothing"
    RESULT = "result"
    LIST = "list"
    CT = "ct"


@dataclass(frozen=True)
class ReviewOptions:
    """The settings of one server. `folder` is the only place that results are read from and written to.

    `kind` tells what `target` is; `single` that `folder` is one result, and nothing else is to be reached. `ct` is the CT of that
    result when it holds none; new results are made with `settings`, which also say how a CT is read. `order` names the only results
    that are listed, in that order; empty for all of them, worst first. `other` is a result of the same CT to be held beside a
    single one, `previous` that of an earlier scan of the patient. `task` is what new scans are segmented for: that of the settings'
    bundle; where nobody said which, the page lets choose among `tasks`. Numbers are placed among the curves of `reference`, of a
    single result for the patient's `age` in years and `sex`, F or M.
    """

    folder: Path
    target: Path | None = None
    kind: Target = Target.NOTHING
    ct: Path | None = None
    host: str = LOOPBACK
    port: int = 0
    open_browser: bool = False
    max_upload_mb: int = 2048
    settings: Settings = Settings()
    author: str = ""
    other: Path | None = None
    previous: Path | None = None
    order: tuple[str, ...] = ()
    task: Task = HIP_THIGH_CT
    tasks: tuple[Task, ...] = ()
    reference: SiteReference | None = None
    age: float | None = None
    sex: str = ""

    @property
    def single(self) -> bool:
        """Whether only one given result can be opened."""
        return self.kind is Target.RESULT

    @property
    def reuses_results(self) -> bool:
        """Whether a scan that was segmented before is opened instead of segmented again: not when settings are asked for."""
        return self.settings.are_usual


def choose(target: Path | None, ct: Path | None, results: Path, **options: Any) -> ReviewOptions:
    """The options for a path given on the command line; `options` are further fields of `ReviewOptions`.

    Raises:
        InputError: the path is nothing that can be reviewed, a result's CT is missing, or no bundle does the task.
    """
    order: tuple[str, ...] = ()
    if target is not None and target.is_file() and target.suffix.lower() == ".csv":
        target, order = read_choice_list(target)
    kind = kind_of_target(target)
    if order and kind is Target.RESULT:
        # A result that holds others is the first of its own list.
        kind = Target.LIST
    if ct is not None and kind is not Target.RESULT:
        raise InputError("The option --ct names the CT of a result folder; give the result folder before it.")
    if kind is Target.RESULT and target is not None:
        find_ct(target, ct)
    _check_other(kind, target, options.get("other"))
    _check_previous(kind, target, options.get("previous"))
    if kind is not Target.RESULT and (options.get("age") is not None or options.get("sex")):
        raise InputError("The options --age and --sex are those of one patient; give one result with them, or enter them there.")
    folder = target if kind in (Target.RESULT, Target.LIST) and target is not None else results
    if folder.exists() and not folder.is_dir():
        raise InputError(f"The results cannot go to the file {shown(folder)!r}; name a folder with --results.")
    settings: Settings = options.get("settings", Settings())
    task = HIP_THIGH_CT if kind is Target.RESULT else _task_of(settings)
    asked = kind is Target.RESULT or any((settings.model, settings.bundle, settings.task))
    tasks = () if asked else tasks_at_hand()
    return ReviewOptions(folder=folder, target=target, kind=kind, ct=ct, order=order, task=task, tasks=tasks, **options)


def _task_of(settings: Settings) -> Task:
    """What new scans are segmented for; said before anything is uploaded in vain."""
    if settings.model is not None or (settings.bundle is None and settings.task is None):
        return HIP_THIGH_CT
    return resolve_bundle(settings.bundle, None if settings.task is None else load_task(settings.task).name).task


def _check_other(kind: Target, target: Path | None, other: Path | None) -> None:
    if other is None:
        return
    if kind is not Target.RESULT or target is None:
        raise InputError("The option --other names a result to be held beside a result folder; give that folder before it.")
    if not is_result(other):
        raise InputError(f"The folder {shown(other)!r} holds no result; give another result of the same CT with --other.")
    if input_of(target) != input_of(other):
        raise InputError(f"{shown(target)!r} and {shown(other)!r} are results of different CT; give two results of one CT.")


def _check_previous(kind: Target, target: Path | None, previous: Path | None) -> None:
    if previous is None:
        return
    if kind is not Target.RESULT or target is None:
        raise InputError(
            "The option --previous names the result of an earlier scan; give the result folder of the later one before it."
        )
    if not is_result(previous):
        raise InputError(
            f"The folder {shown(previous)!r} holds no result; give that of the patient's earlier scan with --previous."
        )
    digests = input_of(target), input_of(previous)
    if digests[0] is not None and digests[0] == digests[1]:
        raise InputError(
            f"{shown(target)!r} and {shown(previous)!r} are results of the same scan; hold them beside each other with --other."
        )


def kind_of_target(target: Path | None) -> Target:
    """What a path given to ``mskseg review`` is.

    Raises:
        InputError: it is missing, or neither a result, nor a folder of results, nor a CT.
    """
    if target is None:
        return Target.NOTHING
    if not target.exists():
        raise InputError(f"There is no file or folder {shown(target)}; check the path.")
    if target.is_file():
        return Target.CT
    if is_result(target):
        return Target.RESULT
    if list_results(target):
        return Target.LIST
    if _holds_dicom(target):
        return Target.CT
    raise InputError(f"The folder {shown(target)} holds neither results nor a DICOM series; choose a result folder or a CT.")


def _holds_dicom(folder: Path) -> bool:
    return any(read_slice_headers(path) for path in islice(image_paths(folder), _MOST_LOOKS))

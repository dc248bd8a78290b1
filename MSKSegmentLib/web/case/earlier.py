"""The result of an earlier scan of the patient, held against the open one: which there are, what changed, the slices of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...case_result import CaseResult
from ...comparison.examination import Examination, examination_of, read_examination
from ...comparison.follow_up import ExaminationPair, compare_examinations
from ...comparison.same_level import LevelPair, ScanLevel, levels_of_segment, pairs_of_levels, scan_levels
from ...ct.modality import CT_MODALITY
from ...ct.volume import CTVolume
from ...errors import InputError
from ...results.result_reading import read_content, stored_facts
from ...review.source_ct import input_of, own_ct_at_hand
from ...scene.ct_window import usual_window
from .opening import Opened
from .options import ReviewOptions
from .result_list import list_results

GreyWindow = tuple[float, float] | None


@dataclass(frozen=True)
class EarlierChoice:
    """A result that may be that of an earlier scan: its folder, and the day of its run, "" where not known."""

    folder: Path
    date: str


@dataclass(frozen=True)
class HeldEarlier:
    """The earlier result and the open one as it stood.

    `levels` are those that both scans show; `slices` are the earlier scan's, None where that is not at hand. `windows` are those
    to show both scans with, None for the usual ones of CT.
    """

    pair: ExaminationPair
    levels: tuple[LevelPair, ...]
    slices: tuple[ScanLevel, ...] | None
    windows: tuple[GreyWindow, GreyWindow]

    def levels_of(self, key: str) -> tuple[LevelPair, ...]:
        """The levels at which a segment may be shown in both scans, the largest section first."""
        both = self.pair.segments(key)
        return () if both is None else levels_of_segment(self.levels, *both)


def earlier_results(opened: Opened, options: ReviewOptions) -> Mapping[str, EarlierChoice]:
    """The results that may be of an earlier scan, by their names: those of other scans than the open one's.

    Results hold no names of patients, so that only people know which of them is the same patient's. Where only one given result is
    reviewed, it is the one that the command line named. Reads a file of every listed result.
    """
    if options.single:
        named = options.previous
        return {} if named is None else {named.resolve().name: EarlierChoice(named, _day(named))}
    digest = input_of(opened.folder)
    found = {}
    for result in list_results(options.folder):
        folder = options.folder / result.name
        if not result.problem and folder.resolve() != opened.folder.resolve() and _is_other(input_of(folder), digest):
            found[result.title] = EarlierChoice(folder, result.date)
    return found


def hold_earlier(
    result: CaseResult, volume: CTVolume, opened: Opened, options: ReviewOptions, name: str, folder: Path
) -> HeldEarlier:
    """Hold the result in `folder` against `result`, the open one as it stands (a copy); takes seconds for large scans.

    Raises:
        InputError: it cannot be read, is of the same scan, or has no structure in common.
    """
    before = replace(read_examination(folder), name=name)
    pair = _compared(before, result, opened, options)
    earlier = own_ct_at_hand(folder)
    slices = None if earlier is None else scan_levels(before.result, earlier)
    return HeldEarlier(pair, _levels(slices, result, volume), slices, (_window(earlier), _window(volume)))


def hold_again(result: CaseResult, volume: CTVolume, held: HeldEarlier) -> HeldEarlier:
    """The same after corrections of the open result."""
    pair = compare_examinations(held.pair.before, replace(held.pair.after, result=result))
    return replace(held, pair=pair, levels=_levels(held.slices, result, volume))


def _compared(before: Examination, result: CaseResult, opened: Opened, options: ReviewOptions) -> ExaminationPair:
    # The scan that was named on the command line is the open result's; else what its run recorded tells of it.
    ct = options.ct if options.single and options.ct is not None and options.ct.is_dir() else None
    pair = compare_examinations(before, examination_of(opened.name, result, ct))
    if not pair.changes:
        raise InputError(f"{before.name!r} and this result have no structure in common; choose another result.")
    return pair


def _levels(slices: tuple[ScanLevel, ...] | None, result: CaseResult, volume: CTVolume) -> tuple[LevelPair, ...]:
    return () if slices is None else pairs_of_levels(slices, scan_levels(result, volume))


def _window(volume: CTVolume | None) -> GreyWindow:
    return None if volume is None or volume.modality == CT_MODALITY else usual_window(volume)


def _is_other(one: str | None, two: str | None) -> bool:
    return one is None or two is None or one != two


def _day(folder: Path) -> str:
    return (stored_facts(read_content(folder)).date or "")[:10]

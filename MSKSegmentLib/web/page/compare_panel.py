"""The part of the page that holds another result of the same CT beside the open one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import MSKSegmentError
from ...language.catalogue import tr
from ...language.forms import told
from ...scene.differences import DIFFERENCE_COLORS
from ...two_results.agreement_rows import (
    DIFFERENCE_KINDS,
    NOTHING_TO_TAKE,
    ONLY_IN_PARTS,
    AgreementRow,
    agreement_rows,
    summary_text,
)
from ...two_results.agreement_table import point_of_difference
from ...two_results.beside import HeldBeside, hold_beside_again, snapshot_of
from ...two_results.differences import DifferenceKind
from ..case.comparing import compare_with, others_of
from ..case.opening import Opened
from ..case.options import ReviewOptions
from .busy_work import BusyWork, in_thread
from .picture_panel import PicturePanel
from .pictures import section_pictures
from .tool_panel import ToolPanel


class ComparePanel:
    """Which result is held beside the open one. `select` shows a segment of the page, `report` a sentence."""

    def __init__(
        self,
        server: Any,
        options: ReviewOptions,
        pictures: PicturePanel,
        tools: ToolPanel,
        select: Callable[[str], None],
        report: Callable[[str], None],
    ) -> None:
        self._state = server.state
        self._options = options
        self._pictures, self._tools = pictures, tools
        self._select, self._report = select, report
        self._opened: Opened | None = None
        self._folders: dict[str, Path] = {}
        self._comparison: HeldBeside | None = None
        self._work = BusyWork(server.state, "compare_busy", report)
        for name, action in {
            "show_compare": self.show,
            "compare": self.compare,
            "compare_look": self.look,
            "compare_take": self.take,
            "compare_end": self.end,
        }.items():
            server.controller.trigger(name)(action)
        self._state.change("disagreement_on")(lambda **_: self._show_places())

    def open(self, opened: Opened) -> None:
        """A case is on the page."""
        self._opened = opened
        self.end()

    def leave(self) -> None:
        """The case is closed."""
        self._work.cancel()
        self._opened = self._comparison = None

    def show(self) -> None:
        """Open the dialog; without a comparison it offers the results that there are, with an outdated one it is made again."""
        with self._state as state:
            state.dialog = "compare"
        if self._comparison is None:
            self._work.begin(self._list())
        elif self._state.compare_outdated:
            self._work.begin(self._again())

    def compare(self, name: str) -> None:
        """Hold one of the offered results beside the open one."""
        folder = self._folders.get(name)
        if folder is not None:
            self._work.begin(self._with(name, folder))

    def look(self, key: str, number: int = 0) -> None:
        """Show a structure in one of the slices in which the results differ most, with both outlines."""
        row = self._comparison.row(key) if self._comparison is not None else None
        if row is None or self._comparison is None or self._opened is None:
            return
        pair, session = self._comparison.pair, self._opened.session
        self._select(pair.keys_in_first(key)[0])
        with self._state as state:
            state.compare_key, state.compare_pictures = key, []
            if 0 <= number < len(row.slices):
                index = row.slices[number].index
                both = section_pictures(session, pair.table.segment(key), index, [pair.labels, pair.other_labels])
                state.compare_pictures = [
                    {"title": title, "src": src, "text": tr("Slice {number}").format(number=index + 1)}
                    for title, src in zip((state.case_name, self._comparison.name), both, strict=True)
                ]
                self._pictures.jump(point_of_difference(pair, key, index))

    def take(self, key: str) -> None:
        """Give the segment the voxels that the other result gives it: a correction that can be undone."""
        if self._comparison is None or self._opened is None or self._opened.read_only or self._comparison.row(key) is None:
            return
        if key not in self._comparison.pair.takeable:
            self._report(ONLY_IN_PARTS)
            return
        mask = self._comparison.mask_of_other(key)
        if mask is None:
            self._report(NOTHING_TO_TAKE)
            return
        self._select(key)
        try:
            self._tools.take(key, mask, self._comparison.source)
        except MSKSegmentError as error:
            self._report(str(error))
        else:
            self._work.begin(self._again())

    def end(self) -> None:
        """Put the other result away."""
        self._comparison = None
        with self._state as state:
            state.compare_name, state.compare_source, state.compare_rows = "", "", []
            state.compare_not_drawn, state.compare_summary = [], ""
            state.compare_key, state.compare_pictures, state.compare_outdated = "", [], False
            state.disagreement_on = False
        if self._opened is not None and self._state.dialog == "compare":
            self._work.begin(self._list())

    def speak(self) -> None:
        """The page has another language."""
        if self._comparison is not None:
            self._show(self._comparison)

    def changed(self) -> None:
        """The open result was corrected."""
        if self._comparison is not None:
            self._state.compare_outdated = True

    async def _list(self) -> None:
        opened = self._opened
        if opened is None:
            return
        self._folders = await in_thread(others_of, opened, self._options)
        with self._state as state:
            state.compare_others = list(self._folders)

    async def _with(self, name: str, folder: Path) -> None:
        opened = self._opened
        if opened is not None:
            first = snapshot_of(opened.session)
            self._show(await in_thread(compare_with, first, opened.session, name, folder))

    async def _again(self) -> None:
        opened, before = self._opened, self._comparison
        if opened is not None and before is not None:
            self._show(await in_thread(hold_beside_again, snapshot_of(opened.session), before))

    def _show(self, comparison: HeldBeside) -> None:
        self._comparison = comparison
        with self._state as state:
            state.compare_name, state.compare_source = comparison.name, told(comparison.source)
            state.compare_outdated, state.compare_summary = False, summary_text(comparison)
            state.compare_legend = [{"color": _css(kind), "words": tr(words)} for kind, words in DIFFERENCE_KINDS.items()]
            rows = agreement_rows(comparison)
            state.compare_rows = [_shown(row) for row in rows if row.is_compared]
            state.compare_not_drawn = [_shown(row) for row in rows if not row.is_compared]
        key = self._state.compare_key or (comparison.rows[0].segment.key if comparison.rows else "")
        if key:
            self.look(key)
        self._show_places()

    def _show_places(self) -> None:
        if self._pictures.scene is not None:
            kinds = self._comparison.kinds if self._comparison is not None and self._state.disagreement_on else None
            self._pictures.scene.show_differences(kinds)


def _shown(row: AgreementRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "name": row.name,
        "dice": row.dice,
        "first": row.first,
        "second": row.second,
        "difference": row.difference,
        "slices": [
            {"number": n, "text": str(one.index + 1), "title": f"{one.area_cm2:.1f} cm²"} for n, one in enumerate(row.slices)
        ],
        "takeable": row.takeable,
    }


def _css(kind: DifferenceKind) -> str:
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in DIFFERENCE_COLORS[kind])

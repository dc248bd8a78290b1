"""The part of the page that holds another result of the same CT beside the open one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import MSKSegmentError
from ...language.catalogue import spoken_words, stated, tr
from ...language.forms import told
from ...two_results.agreement_table import StructureAgreement, point_of_difference
from ...two_results.not_drawn import NotDrawn
from ...wording.names import segment_name
from ..case.comparing import HeldBeside, compare_again, compare_with, others_of, snapshot_of
from ..case.opening import Opened
from ..case.options import ReviewOptions
from .busy_work import BusyWork, in_thread
from .picture_panel import PicturePanel
from .pictures import section_pictures
from .tool_panel import ToolPanel

_NOTHING_TO_TAKE = stated("The other result has nothing of this structure; erase it with the tools if that is right.")
_IN_PARTS = stated("This result has the structure in parts, and the other result has it as one; correct the parts with the tools.")


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
        row = self._row(key)
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
        if self._comparison is None or self._opened is None or self._opened.read_only or self._row(key) is None:
            return
        if key not in self._comparison.pair.takeable:
            self._report(_IN_PARTS)
            return
        mask = self._comparison.mask_of_other(key)
        if mask is None:
            self._report(_NOTHING_TO_TAKE)
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
            self._show(await in_thread(compare_again, snapshot_of(opened.session), before))

    def _show(self, comparison: HeldBeside) -> None:
        self._comparison = comparison
        with self._state as state:
            state.compare_name, state.compare_source = comparison.name, comparison.source
            state.compare_outdated, state.compare_summary = False, " ".join(map(told, comparison.summary))
            state.compare_rows = [_shown(row, row.segment.key in comparison.pair.takeable) for row in comparison.rows]
            state.compare_not_drawn = [_shown_absent(one) for one in comparison.not_drawn]
        key = self._state.compare_key or (comparison.rows[0].segment.key if comparison.rows else "")
        if key:
            self.look(key)
        self._show_places()

    def _show_places(self) -> None:
        if self._pictures.scene is not None:
            places = self._comparison.places if self._comparison is not None and self._state.disagreement_on else None
            self._pictures.scene.show_disagreement(places)

    def _row(self, key: str) -> StructureAgreement | None:
        rows = self._comparison.rows if self._comparison is not None else ()
        return next((row for row in rows if row.segment.key == key), None)


def _shown_absent(one: NotDrawn) -> dict[str, Any]:
    volume = f"{one.volume_cc:.1f}"
    first, second = (volume, "") if one.in_first else ("", volume)
    name = segment_name(spoken_words(), one.segment)
    return {"key": one.segment.key, "name": name, "first": first, "second": second, "words": told(one.words)}


def _shown(row: StructureAgreement, takeable: bool) -> dict[str, Any]:
    return {
        "key": row.segment.key,
        "name": segment_name(spoken_words(), row.segment),
        "dice": f"{row.dice:.3f}",
        "first": f"{row.volume_first_cc:.1f}",
        "second": f"{row.volume_second_cc:.1f}",
        "difference": _difference(row),
        "slices": [
            {"number": n, "text": str(one.index + 1), "title": f"{one.area_cm2:.1f} cm²"} for n, one in enumerate(row.slices)
        ],
        "takeable": takeable and row.volume_second_cc > 0 and row.dice < 1,
    }


def _difference(row: StructureAgreement) -> str:
    """That of the volumes; of what only one result has, a number would say nothing."""
    if row.volume_first_cc and row.volume_second_cc:
        return f"{row.volume_difference_percent:+.0f} %"
    return tr("only in the first") if row.volume_first_cc else tr("only in the second")

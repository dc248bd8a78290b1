"""The page of one open result: table, selection, review actions, and the panels for pictures and tools."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ...errors import MSKSegmentError
from ...language.catalogue import spoken, tr
from ...language.forms import told
from ...review import ReviewSession, RowFilter, WorstSlice
from ...review.sections import other_side
from ...wording.findings import finding_text
from ...wording.uncertainty import uncertainty_text
from ..case.opening import Opened
from ..case.options import ReviewOptions
from . import table
from .compare_panel import ComparePanel
from .earlier_panel import EarlierPanel
from .picture_panel import PicturePanel
from .pictures import histogram_chart, thumbnail
from .sides import side_comparison
from .site_panel import SitePanel
from .state import task_state
from .tool_panel import ToolPanel

_THUMBNAILS = 3


class CasePage:
    """What is on the page while a result is open. One object serves all results of a server, one after the other."""

    def __init__(self, server: Any, options: ReviewOptions) -> None:
        self._server = server
        self._state = server.state
        self.opened: Opened | None = None
        self.pictures = PicturePanel(server)
        self.tools = ToolPanel(server, self.pictures, self._report)
        self.comparison = ComparePanel(
            server, options, self.pictures, self.tools, lambda key: self.select(key, False), self._report
        )
        self.earlier = EarlierPanel(server, options, lambda key: self.select(key, False), self._report)
        self.site = SitePanel(server, options, self._placed, self._report)
        self._unsubscribe: Callable[[], None] = lambda: None
        self._listen()

    @property
    def session(self) -> ReviewSession | None:
        """The review of the open result."""
        return self.opened.session if self.opened else None

    async def open(self, opened: Opened) -> None:
        """Show a result; the first one also loads what draws the views, which takes a few seconds."""
        session = opened.session
        await self.pictures.open(session)
        self.tools.open(session, bool(opened.read_only))
        self.opened = opened
        self._unsubscribe = session.subscribe(self._changed)
        with self._state as state:
            state.case_name = opened.name
            state.update({"sort_column": "", "filter_text": "", "filter_flagged": False, "filter_group": "", "filter_side": ""})
            state.selected, state.dialog, state.saved_text = "", "", ""
            self._show_words()
            self._show_rows()
            first = session.next_flagged() or next((row["key"] for row in state.rows), None)
            self.comparison.open(opened)
            self.earlier.open(opened)
            self.site.open(opened)
            if first:
                self.select(first)

    def speak(self) -> None:
        """The page has another language."""
        if self.session is None or self.opened is None:
            return
        with self._state as state:
            self._show_words()
            self._show_rows()
            self.pictures.speak()
            self.comparison.speak()
            self.earlier.speak()
            if state.selected:
                self._show_selected()
            if state.dialog == "history":
                self._show_history()
            elif state.dialog == "sides":
                self._show_sides()

    def leave(self) -> None:
        """Close the result that is shown, if there is one."""
        self._unsubscribe()
        self._unsubscribe = lambda: None
        self.comparison.leave()
        self.earlier.leave()
        self.site.leave()
        self.tools.leave()
        self.pictures.leave()
        self.opened = None

    def close(self) -> None:
        """The server ends."""
        self.leave()
        self.pictures.close()

    def select(self, key: str, jump: bool = True) -> None:
        """Show a segment: its worst slice, its surface, its numbers."""
        if self.session is None or all(key != segment.key for segment in self.session.table.segments):
            return
        with self._state as state:
            state.selected = key
            self._show_selected()
            self.tools.choose(key)
            self.pictures.select(key)
            if jump:
                self._go_to_worst(0)

    def next_flagged(self) -> None:
        """Go to the next segment that needs a look."""
        if self.session and (key := self.session.next_flagged(self._state.selected or None)):
            with self._state:
                self._show_rows()
                self.select(key)

    def accept(self) -> None:
        """Accept the selected segment."""
        self._review(lambda session, key: session.accept(key))

    def reopen(self) -> None:
        """Take the acceptance of the selected segment back."""
        self._review(lambda session, key: session.reopen(key))

    def revert(self) -> None:
        """Bring back what the network drew of the selected segment."""
        self._review(lambda session, key: self.tools.revert(key))

    def step(self, by: int) -> None:
        """Select the next or the previous row of the table as it is shown."""
        keys = [row["key"] for row in self._state.rows]
        if keys:
            at = keys.index(self._state.selected) if self._state.selected in keys else -1 if by > 0 else 0
            self.select(keys[(at + by) % len(keys)])

    def _listen(self) -> None:
        controller, state = self._server.controller, self._state
        actions: dict[str, Callable[..., None]] = {
            "select": self.select,
            "next_flagged": self.next_flagged,
            "accept": self.accept,
            "reopen": self.reopen,
            "revert": self.revert,
            "sort": self._sort,
            "worst": self._go_to_worst,
            "refresh_history": self._show_history,
            "show_sides": self._show_sides,
            "key": self._key,
        }
        for name, action in actions.items():
            controller.trigger(name)(action)
        state.change("filter_text", "filter_flagged", "filter_group", "filter_side")(lambda **_: self._show_rows())

    def _review(self, action: Callable[[ReviewSession, str], None]) -> None:
        key = self._state.selected
        if self.session is None or not key or self.opened is None or self.opened.read_only:
            return
        try:
            action(self.session, key)
        except MSKSegmentError as error:
            self._report(str(error))

    def _placed(self) -> None:
        """Rows say where their numbers lie among the curves of a site, or no longer do."""
        self._show_rows()
        if self._state.selected:
            self._show_selected()

    def _report(self, sentence: str) -> None:
        with self._state as state:
            state.problem, state.problem_details = told(sentence), ""

    def _changed(self, keys: tuple[str, ...]) -> None:
        """Rows have changed: by a correction, an acceptance, or the height."""
        session = self.session
        if session is None:
            return
        with self._state as state:
            state.rows = table.refreshed_rows(state.rows, session.rows())
            self._show_counts(session)
            if state.selected:
                self._show_selected()
                state.worst_shown = -1
            if state.dialog == "history":
                self._show_history()
            elif state.dialog == "sides":
                self._show_sides()
            state.saved_text = tr("Saved {time}").format(time=f"{datetime.now():%H:%M:%S}")
        self.pictures.changed()
        self.comparison.changed()
        self.earlier.changed()

    def _sort(self, column: str) -> None:
        """Ascending, then descending, then worst first again."""
        with self._state as state:
            if state.sort_column != column:
                state.sort_column, state.sort_descending = column, False
            elif not state.sort_descending:
                state.sort_descending = True
            else:
                state.sort_column, state.sort_descending = "", False
            self._show_rows()

    def _show_rows(self) -> None:
        if self.session is None:
            return
        state, rows = self._state, self.session.rows()
        wanted = RowFilter(state.filter_flagged, state.filter_group or None, state.filter_side or None, state.filter_text)
        state.rows = table.shown_rows(rows, wanted, state.sort_column, state.sort_descending)
        self._show_counts(self.session)

    def _show_words(self) -> None:
        """What of the open result is words alone."""
        session, state = self.session, self._state
        assert session is not None and self.opened is not None
        state.update(task_state(session.task))
        state.read_only = told(self.opened.read_only)
        state.warnings = [finding_text(finding, spoken()) for finding in session.result.findings]
        state.groups = [{"key": group.key, "name": tr(group.name)} for group in session.table.groups]

    def _show_counts(self, session: ReviewSession) -> None:
        state, rows = self._state, session.rows()
        state.row_total = len(rows)
        state.counts = table.light_counts(rows)
        state.flagged_left = sum(row.needs_review for row in rows)

    def _show_selected(self) -> None:
        session, key = self.session, self._state.selected
        assert session is not None
        other = other_side(session, key)
        self._state.selected_row = table.selected_row(session.row(key), session.report(key), other is not None)
        self._state.histogram = histogram_chart(session.histogram(key), session.histogram(other) if other else None)
        self._state.thumbnails = [
            {
                "number": number,
                "src": thumbnail(session, key, worst),
                "text": tr("Slice {number}").format(number=worst.index + 1),
                "title": _slice_title(worst),
            }
            for number, worst in enumerate(session.worst_slices(key, _THUMBNAILS))
        ]

    def _go_to_worst(self, number: int) -> None:
        key = self._state.selected
        slices = self.session.worst_slices(key, _THUMBNAILS) if self.session and key else ()
        with self._state as state:
            if 0 <= number < len(slices):
                state.worst_shown = number
                self.pictures.jump(slices[number].point_lps)
            elif not slices:
                state.worst_shown = -1

    def _show_history(self) -> None:
        if self.session is not None:
            self._state.history = table.history_lines(self.session.history, self.session.rows())

    def _show_sides(self) -> None:
        if self.session is not None and (key := self._state.selected):
            with self._state as state:
                state.sides, state.dialog = side_comparison(self.session, key), "sides"

    def _key(self, key: str) -> None:
        if self.session is None:
            return
        actions: dict[str, Callable[[], None]] = {
            "n": self.next_flagged,
            "a": self.accept,
            "j": lambda: self.step(1),
            "k": lambda: self.step(-1),
            "[": lambda: self._go_to_worst(self._state.worst_shown - 1),
            "]": lambda: self._go_to_worst(self._state.worst_shown + 1),
            "h": self._show_history,
            "b": self._show_sides,
            "o": self.comparison.show,
            "t": self.earlier.show,
            **self.pictures.keys(),
            **self.tools.keys(),
        }
        if key in actions:
            with self._state:
                actions[key]()


def _slice_title(worst: WorstSlice) -> str:
    values = {"number": worst.index + 1, "area": f"{worst.area_cm2:.1f}"}
    if worst.uncertainty is None:
        return tr("Slice {number}, {area} cm²").format(**values)
    return tr("Slice {number}, {area} cm², uncertainty {value}").format(**values, value=uncertainty_text(worst.uncertainty))

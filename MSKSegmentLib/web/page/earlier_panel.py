"""The part of the page that says what changed since an earlier scan of the patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...comparison import change_words as words
from ...comparison.change_table import ChangeRow, change_cautions, change_rows_of, change_summary, quantities_of
from ...comparison.intervals import FollowedQuantity
from ...language.catalogue import spoken_words, tr
from ...two_results.beside import snapshot_of
from ...wording.names import segment_name
from ..case.earlier import EarlierChoice, HeldEarlier, earlier_results, hold_again, hold_earlier
from ..case.opening import Opened
from ..case.options import ReviewOptions
from .busy_work import BusyWork, in_thread
from .pictures import level_pictures


def earlier_state() -> dict[str, Any]:
    """What the page shows of an earlier scan while none is held against the open one; `earlier_name` is empty then."""
    return {
        "earlier_choices": [],
        "earlier_busy": False,
        "earlier_outdated": False,
        **_nothing_held(),
    }


def earlier_words() -> dict[str, Any]:
    """What is said whatever is held, in the page's language."""
    return {
        "button": tr(words.EARLIER_SCAN),
        "choose": tr(words.CHOOSE_EARLIER),
        "none": tr(words.NO_EARLIER),
        "note": tr(words.INTERVAL_NOTE),
        "columns": [tr(title) for title in words.CHANGE_TABLE],
    }


def _nothing_held() -> dict[str, Any]:
    return {
        "earlier_name": "",
        "earlier_dates": "",
        "earlier_cautions": [],
        "earlier_quantities": [],
        "earlier_quantity": FollowedQuantity.VOLUME.value,
        "earlier_rows": [],
        "earlier_summary": "",
        "earlier_key": "",
        "earlier_levels": [],
        "earlier_level": 0,
        "earlier_pictures": [],
        "earlier_note": "",
    }


class EarlierPanel:
    """Which earlier result is held against the open one. `select` shows a segment of the page, `report` a sentence."""

    def __init__(self, server: Any, options: ReviewOptions, select: Callable[[str], None], report: Callable[[str], None]) -> None:
        self._state = server.state
        self._options = options
        self._select = select
        self._work = BusyWork(server.state, "earlier_busy", report)
        self._opened: Opened | None = None
        self._choices: Mapping[str, EarlierChoice] = {}
        self._held: HeldEarlier | None = None
        for name, action in {
            "show_earlier": self.show,
            "earlier": self.choose,
            "earlier_quantity": self.show_quantity,
            "earlier_look": self.look,
            "earlier_end": self.end,
        }.items():
            server.controller.trigger(name)(action)

    def open(self, opened: Opened) -> None:
        """A case is on the page."""
        self._opened = opened
        self.end()

    def leave(self) -> None:
        """The case is closed."""
        self._work.cancel()
        self._opened = self._held = None

    def show(self) -> None:
        """Open the dialog; it offers the results that there are, or shows the changes, made again where they are outdated."""
        with self._state as state:
            state.dialog = "earlier"
        if self._held is None:
            self._work.begin(self._list())
        elif self._state.earlier_outdated:
            self._work.begin(self._again())

    def choose(self, name: str) -> None:
        """Hold one of the offered results against the open one."""
        if name in self._choices:
            self._work.begin(self._with(name, self._choices[name]))

    def show_quantity(self, quantity: str) -> None:
        """Show the changes of volumes, densities or fat."""
        if self._held is None:
            return
        chosen = FollowedQuantity(quantity)
        rows = change_rows_of(self._held.pair, chosen)
        with self._state as state:
            state.earlier_quantity = chosen.value
            state.earlier_rows, state.earlier_summary = [_shown(row) for row in rows], change_summary(rows)

    def look(self, key: str, number: int = 0) -> None:
        """Show a structure in both scans, at one of the levels that both show."""
        if self._held is None or self._opened is None or self._held.pair.segments(key) is None:
            return
        self._select(key)
        self._show_level(key, number)

    def _show_level(self, key: str, number: int) -> None:
        if self._held is None or (both := self._held.pair.segments(key)) is None:
            return
        levels = self._held.levels_of(key)
        with self._state as state:
            state.earlier_key, state.earlier_pictures = key, []
            state.earlier_levels = [{"number": n, "text": tr(one.name)} for n, one in enumerate(levels)]
            if not 0 <= number < len(levels):
                state.earlier_note = tr(words.NO_EARLIER_CT if self._held.slices is None else words.NO_COMMON_LEVEL)
                return
            pictures = level_pictures(levels[number], both, self._held.windows)
            name, captions = segment_name(spoken_words(), both[1]), (tr(words.BEFORE), tr(words.AFTER))
            state.earlier_level, state.earlier_note = number, tr(words.SAME_LEVEL)
            state.earlier_pictures = [
                {"title": title, "src": src, "text": f"{name}, {tr(levels[number].name)}"}
                for title, src in zip(captions, pictures, strict=True)
            ]

    def end(self) -> None:
        """Put the earlier result away."""
        self._held = None
        with self._state as state:
            state.update(_nothing_held())
            state.earlier_outdated = False
        if self._opened is not None and self._state.dialog == "earlier":
            self._work.begin(self._list())

    def speak(self) -> None:
        """The page has another language."""
        if self._held is not None:
            self._tell(self._held)
            # The segment that is selected on the page may be another one by now, and stays it.
            self._show_level(self._state.earlier_key, self._state.earlier_level)

    def changed(self) -> None:
        """The open result was corrected."""
        if self._held is not None:
            self._state.earlier_outdated = True

    async def _list(self) -> None:
        if self._opened is None:
            return
        self._choices = await in_thread(earlier_results, self._opened, self._options)
        with self._state as state:
            state.earlier_choices = [{"name": name, "date": one.date} for name, one in self._choices.items()]

    async def _with(self, name: str, choice: EarlierChoice) -> None:
        if (opened := self._opened) is None:
            return
        result = snapshot_of(opened.session).result
        how = opened, self._options, name, choice.folder
        self._take(await in_thread(hold_earlier, result, opened.session.volume, *how))

    async def _again(self) -> None:
        if (opened := self._opened) is not None and (held := self._held) is not None:
            self._take(await in_thread(hold_again, snapshot_of(opened.session).result, opened.session.volume, held))

    def _take(self, held: HeldEarlier) -> None:
        self._held = held
        with self._state as state:
            state.earlier_name, state.earlier_outdated = held.pair.before.name, False
            self._tell(held)
            self.look(state.earlier_key or state.earlier_rows[0]["key"])

    def _tell(self, held: HeldEarlier) -> None:
        pair, quantities = held.pair, quantities_of(held.pair)
        with self._state as state:
            state.earlier_dates = words.dates(pair.before, pair.after)
            state.earlier_cautions = list(change_cautions(pair))
            state.earlier_quantities = [{"name": one.value, "title": tr(words.CHANGED_QUANTITIES[one])} for one in quantities]
            known = {one.value for one in quantities}
            self.show_quantity(state.earlier_quantity if state.earlier_quantity in known else quantities[0].value)


def _shown(row: ChangeRow) -> dict[str, Any]:
    color = "#{:02x}{:02x}{:02x}".format(*row.color)
    return {"key": row.key, "color": color, "texts": list(row.texts), "verdict": row.verdict.name.lower()}

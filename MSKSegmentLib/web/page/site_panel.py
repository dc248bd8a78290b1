"""The part of the page that places the numbers among the reference curves of the site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import MSKSegmentError
from ...review import ReviewSession
from ...site_reference.applying import Placing
from ..case.opening import Opened
from ..case.options import ReviewOptions
from .state import column_state


class SitePanel:
    """Age and sex of the patient, which no result holds. `refresh` shows the rows anew, `report` tells a sentence."""

    def __init__(self, server: Any, options: ReviewOptions, refresh: Callable[[], None], report: Callable[[str], None]) -> None:
        self._state, self._options, self._refresh, self._report = server.state, options, refresh, report
        self._session: ReviewSession | None = None
        self._state.site_source = options.reference.source if options.reference is not None else ""
        self._state.change("site_age", "site_sex")(lambda **_: self._place())

    def open(self, opened: Opened) -> None:
        """A case is on the page: nothing that was entered for the patient before it may stay."""
        self._session = opened.session
        age, sex = (self._options.age, self._options.sex) if self._options.single else (None, "")
        self._state.site_age, self._state.site_sex = "" if age is None else age, sex
        self._place()

    def leave(self) -> None:
        """The case is closed."""
        self._session = None

    def _place(self) -> None:
        session, reference = self._session, self._options.reference
        if session is None or reference is None:
            return
        age, sex = self._state.site_age, self._state.site_sex
        placing = None
        if isinstance(age, int | float) and sex:
            try:
                placing = Placing(reference, float(age), sex)
            except MSKSegmentError as error:
                self._report(str(error))
        session.place(placing)
        with self._state as state:
            state.columns = column_state(session.columns)
            self._refresh()

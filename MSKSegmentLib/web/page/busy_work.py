"""Work that takes seconds beside the page: one at a time, with a word that it is under way, and a sentence where it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ...errors import MSKSegmentError


class BusyWork:
    """`flag` names what of the state is true meanwhile; work that fails closes the dialog and is told by `report`."""

    def __init__(self, state: Any, flag: str, report: Callable[[str], None]) -> None:
        self._state, self._flag, self._report = state, flag, report
        self._task: asyncio.Task[None] | None = None

    def begin(self, work: Awaitable[None]) -> None:
        """Do it instead of what is under way."""
        self.cancel()
        self._task = asyncio.get_running_loop().create_task(self._guarded(work))

    def cancel(self) -> None:
        """Give up what is under way."""
        if self._task:
            self._task.cancel()

    async def _guarded(self, work: Awaitable[None]) -> None:
        with self._state as state:
            state[self._flag] = True
        try:
            # Let the page show that it is busy.
            await asyncio.sleep(0.02)
            await work
        except MSKSegmentError as error:
            self._report(str(error))
            with self._state as state:
                state.dialog = ""
        finally:
            with self._state as state:
                state[self._flag] = False


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives that would keep the page waiting."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)

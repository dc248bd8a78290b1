"""Work beside the network: the next slice is read and the previous one written while it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def one_ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """``map(make, items)``, in a thread of its own that is one item ahead; what `make` raises is raised here, in its turn."""
    with ThreadPoolExecutor(1) as pool:
        coming: Future[Made] | None = None
        for item in items:
            ready, coming = coming, pool.submit(make, item)
            if ready is not None:
                yield ready.result()
        if coming is not None:
            yield coming.result()


class OneBehind:
    """Calls functions in a thread of its own, one at a time and in order; a context, which waits for the last call."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._last: Future[Any] | None = None

    def __enter__(self) -> OneBehind:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        self._pool.shutdown()
        if kind is None and self._last is not None:
            self._last.result()

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Wait for the call before, raise what it raised, and begin this one: no more than one is kept in memory."""
        if self._last is not None:
            self._last.result()
        self._last = self._pool.submit(function, *arguments)

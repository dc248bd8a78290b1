"""How long a step takes, as a line of the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def time_logged(log: logging.Logger, step: str) -> Iterator[None]:
    """Log the wall time of a block, or of each call of the function that it decorates; nothing where an error ends it."""
    began = time.perf_counter()
    yield
    log.info("%s took %.2f s", step, time.perf_counter() - began)

"""What went wrong, for the page: a sentence, and details for a report without paths and names."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from ...errors import MSKSegmentError
from ...language.catalogue import stated
from ...review.redaction import redacted

_NO_MEMORY = stated("The computer's memory is exhausted; close other programs or crop the CT and try again.")


@dataclass(frozen=True)
class Problem:
    """What went wrong: one sentence, and a log without paths and names for whoever wants to report it (may be empty)."""

    sentence: str
    details: str = ""


def problem_of(error: Exception) -> Problem:
    """An error that is being handled, for the page; `details` hold its traceback unless its own sentence says all."""
    if isinstance(error, MSKSegmentError):
        return Problem(str(error))
    if isinstance(error, MemoryError):
        return Problem(_NO_MEMORY)
    sentence = stated(f"The program failed unexpectedly ({type(error).__name__}); please report it with the details.")
    return Problem(sentence, redacted("".join(traceback.format_exception(error))))

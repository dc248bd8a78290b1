"""What there is to learn from, for a front end that asked the engine."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from .corrections import KnownKind
from .gathering import Gathered, known_sentences, known_table
from .plan import check_enough


def listing_of(gathered: Gathered) -> dict[str, Any]:
    """JSON-ready: `rows`, each with the abbreviation of a structure, the patients by `KnownKind` in its order, and the patients
    with any; `sentences` on the whole; `hindrance`, why nothing can be learned from it yet, else empty; `message`, the first of
    the sentences.
    """
    sentences, hindrance = known_sentences(gathered), ""
    try:
        check_enough(gathered)
    except InputError as error:
        hindrance = str(error)
    rows = [[name, *(counts[kind] for kind in KnownKind), patients] for name, counts, patients in known_table(gathered)]
    return {"rows": rows, "sentences": sentences, "hindrance": hindrance, "message": sentences[0]}

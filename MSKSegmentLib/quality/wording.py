"""How the reasons of a light state numbers: with as many digits as the sentence needs, and nouns in singular or plural."""

from __future__ import annotations

from collections.abc import Sequence

_DICE_FORMS = ("{:.2f}", "{:.3f}", "{:.4f}")
_UNCERTAINTY_FORMS = ("{:.2e}", "{:.3e}", "{:.4e}")


def dice_texts(value: float, *limits: float | None) -> tuple[str, ...]:
    """A Dice coefficient and what it is held against as texts, in which one that is below a limit looks so.

    Two decimals, or up to four where rounding would hide it: 0.947 is below 0.950, never 0.95 below 0.95. Limits that are None are
    left out.
    """
    given_limits = [limit for limit in limits if limit is not None]
    return _texts(value, given_limits, _DICE_FORMS, [value < limit for limit in given_limits])


def uncertainty_texts(value: float, limit: float) -> tuple[str, ...]:
    """An uncertainty and its limit as texts, in which one that is above the limit looks so."""
    return _texts(value, [limit], _UNCERTAINTY_FORMS, [value > limit])


def _texts(value: float, limits: Sequence[float], forms: Sequence[str], beyond: Sequence[bool]) -> tuple[str, ...]:
    texts: tuple[str, ...] = ()
    for form in forms:
        texts = tuple(form.format(number) for number in (value, *limits))
        if not any(text == texts[0] and differs for text, differs in zip(texts[1:], beyond, strict=True)):
            break
    return texts


def counted(number: int, singular: str, plural: str) -> str:
    """A number with the words for one and for any other number: "1 patient shows", "3 patients show"."""
    return f"{number} {singular if number == 1 else plural}"

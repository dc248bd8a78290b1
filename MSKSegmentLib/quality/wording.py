"""How numbers stand in the reasons of a light: with as many digits as the sentence needs, and nouns in the right number."""

from __future__ import annotations

DICE_FORMS = ("{:.2f}", "{:.3f}", "{:.4f}")
UNCERTAINTY_FORMS = ("{:.2e}", "{:.3e}", "{:.4e}")


def told_apart(value: float, *others: float | None, forms: tuple[str, ...] = DICE_FORMS) -> tuple[str, ...]:
    """A value and what it is held against as texts of one form in which different numbers look different.

    The first of `forms` that does so, the last where none does: 0.947 is below 0.950, never 0.95 below 0.95. Others that are None
    are left out.
    """
    numbers = (value, *(other for other in others if other is not None))
    texts: tuple[str, ...] = ()
    for form in forms:
        texts = tuple(form.format(number) for number in numbers)
        if all(text != texts[0] or number == value for text, number in zip(texts[1:], numbers[1:], strict=True)):
            break
    return texts


def counted(number: int, one: str, many: str) -> str:
    """A number with the words for one and for any other number: "1 patient shows", "3 patients show"."""
    return f"{number} {one if number == 1 else many}"

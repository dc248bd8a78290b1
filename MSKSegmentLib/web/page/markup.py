"""The page's markup: templates put together and given to the server; what they show is the server's state."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

# A text of a template, within an expression.
_TEXT = re.compile(r"\b_\('((?:[^'\\]|\\.)*)'\)")
_TEMPLATES = Path(__file__).with_name("templates")
# What the browser loads as it is, and the address that it is served under.
STATIC = Path(__file__).with_name("static")
STATIC_URL = "__mskseg"


def build_page(server: Any) -> None:
    """Give the page to a trame server; its state must hold every name that the templates use."""
    from trame.ui.html import DivLayout
    from trame_rca import module as pictures

    scripts = [f"{STATIC_URL}/{name}.js" for name in ("keys", "language")]
    server.enable_module({"styles": [f"{STATIC_URL}/page.css"], "scripts": scripts})
    server.enable_module(pictures)
    server.state.trame__title = "MSKSegment review"
    server.state.trame__favicon = f"{STATIC_URL}/icon.svg"
    with DivLayout(server) as layout:
        layout.root.add_child(_with_words(template("shell")))


def template(name: str) -> str:
    """A template with the templates that it names between ``@`` signs put in.

    Words after such a name stand in its template where that has ``$1``, ``$2`` and so on: ``@slice Red axial@``.
    """
    text = (_TEMPLATES / f"{name}.html").read_text(encoding="utf-8")
    return re.sub(r"@([a-z]+)((?: \w+)*)@", _named, text)


def _named(match: re.Match[str]) -> str:
    words = match[2].split()
    return re.sub(r"\$(\d)", lambda place: words[int(place[1]) - 1], template(match[1]))


@cache
def page_texts() -> tuple[str, ...]:
    """The English texts of the templates; the state's `words` holds them in the page's language, in this order."""
    return tuple(dict.fromkeys(_plain(match) for match in _TEXT.finditer(template("shell"))))


def _with_words(markup: str) -> str:
    """The markup with each text as the place in `words` where the page finds it."""
    return _TEXT.sub(lambda match: f"words[{page_texts().index(_plain(match))}]", markup)


def _plain(match: re.Match[str]) -> str:
    return match[1].replace("\\'", "'")

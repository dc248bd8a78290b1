"""Pages from templates: every text is escaped, and nothing is loaded from elsewhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import RESEARCH_USE_ONLY, __version__
from ..output.templates import template_environment

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).resolve().parent / "templates"


def rendered_page(template: str, **values: Any) -> str:
    """The page of a template in ``cohort/templates``."""
    return _environment().get_template(template).render(**values, notice=RESEARCH_USE_ONLY, version=__version__)


@cache
def _environment() -> Environment:
    return template_environment(_TEMPLATES)

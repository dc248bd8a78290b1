"""Pages from Jinja2 templates: every text is escaped, nothing is loaded from elsewhere, and what a template lacks is an error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def template_environment(folder: Path, **options: Any) -> Environment:
    """The environment for the templates in a folder; `options` are further ones of `jinja2.Environment`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(folder)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, **options)

"""The numbers that Soufi et al. 2025 printed, to stand beside one's own where they are comparable."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from ..resources import resource_file

TABLES_FILE = "soufi_2025_tables.json"
# The paper's models: levels of the network, and patients it was trained on.
PUBLISHED_MODELS = ("5layers,20", "6layers,50")


def published(*keys: str) -> Any:
    """The entry that is reached by these keys, for example ``("table_9", "values", "10", "dice")``; None where there is none."""
    found: Any = _published_file()
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def published_source() -> str:
    """The paper, as it is cited."""
    source = _published_file()["source"]
    return f"{source['citation']} doi:{source['doi']}"


@cache
def _published_file() -> Any:
    return json.loads(resource_file("ReferenceValues", TABLES_FILE).read_text(encoding="utf-8"))

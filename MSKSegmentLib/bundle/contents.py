"""The files that bundles are made of: their JSON and their SHA-256."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ..errors import BundleError


def sha256_of(data: bytes) -> str:
    """In hex."""
    return hashlib.sha256(data).hexdigest()


def json_bytes(content: dict[str, Any]) -> bytes:
    """A JSON file of a bundle.

    Raises:
        BundleError: it holds something other than text and finite numbers.
    """
    try:
        return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
    except (TypeError, ValueError) as error:
        raise BundleError(
            "The manifest or calibration holds something other than text and finite numbers; make it again."
        ) from error

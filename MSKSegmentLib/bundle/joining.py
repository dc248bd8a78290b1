"""One bundle of several: their networks share the dropout passes, so that the spread over the passes holds their disagreement."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .. import RESEARCH_USE_ONLY
from ..errors import BundleError, InputError
from .first_stage import FIRST_STAGE_FILE
from .manifest import MOST_MEMBERS, STRUCTURES_FILE
from .store import MODEL_CARD_FILE, ModelBundle, write_files
from .structures import structures_file
from .weights import weights_files


def join_bundles(bundles: Sequence[ModelBundle], folder: str | Path, name: str, version: str = "1") -> ModelBundle:
    """Write the networks of `bundles`, of one network each, as a new bundle without calibration in the new folder `folder`.

    The number of passes is that of the first; every member needs one of them at least.

    Raises:
        InputError: there are fewer than two bundles, or more than `MOST_MEMBERS`.
        BundleError: they differ in network, preprocessing, structures, task or licence, one holds several networks, two hold the
            same, a file was altered, or `folder` holds something or cannot be written.
    """
    if not 2 <= len(bundles) <= MOST_MEMBERS:
        raise InputError(f"A bundle of several networks is joined of 2 to {MOST_MEMBERS} bundles; name as many.")
    first = bundles[0]
    for other in bundles:
        _check(first, other)
    weights = [bundle.read_file(weights_files(1)[0]) for bundle in bundles]
    if len(set(weights)) < len(weights):
        raise BundleError("Two of these bundles have the same weights, which would disagree by dropout alone; name different ones.")
    manifest = replace(
        first.manifest,
        name=name,
        version=version,
        date=datetime.date.today().isoformat(),
        description=f"{len(bundles)} networks that share the dropout passes: {_names(bundles)}. Research use only.",
        members=len(bundles),
    )
    files = {
        **dict(zip(weights_files(len(bundles)), weights, strict=True)),
        MODEL_CARD_FILE: _card(bundles, name, version).encode("utf-8"),
        # The preprocessing of all is the same, and with it their first stage.
        **{name: first.read_file(name) for name in first.manifest.files if name == FIRST_STAGE_FILE},
        **structures_file(first.table if first.manifest.structures == STRUCTURES_FILE else None),
    }
    return write_files(Path(folder), manifest, files, None)


def _names(bundles: Sequence[ModelBundle]) -> str:
    return ", ".join(f"{bundle.manifest.name} {bundle.manifest.version}" for bundle in bundles)


def _check(first: ModelBundle, other: ModelBundle) -> None:
    one, two = first.manifest, other.manifest
    if two.members > 1:
        raise BundleError(f"{two.name} {two.version} holds several networks itself; name the bundles that it was joined of.")
    differing = {
        "network": one.network != two.network,
        "preprocessing": one.preprocessing != two.preprocessing,
        "structures": first.table != other.table,
        "task": one.task != two.task,
        "licence": one.license != two.license,
    }
    for what, differs in differing.items():
        if differs:
            raise BundleError(
                f"{one.name} {one.version} and {two.name} {two.version} differ in their {what}; join bundles of one kind."
            )


def _card(bundles: Sequence[ModelBundle], name: str, version: str) -> str:
    head = [
        f"# Model card: {name} {version}",
        "",
        f"**{RESEARCH_USE_ONLY} Not calibrated: results get no lights. Not tested on cases of its own kind.**",
        "",
        f"{len(bundles)} networks that share the dropout passes of a run, so that the uncertainty holds what they disagree on.",
        "Their own cards follow; their calibrations do not hold for all together.",
    ]
    for number, bundle in enumerate(bundles, 1):
        own = bundle.card.strip().splitlines()
        # One level down, so that the sections of a card stay parts of its member.
        lowered = [f"#{line}" if line.startswith("#") else line for line in own]
        title = f"## Network {number}: {bundle.manifest.name} {bundle.manifest.version} ({bundle.digest[:12]})"
        head += ["", title, "", *lowered]
    return "\n".join(head) + "\n"

"""A bundle written anew with another calibration, other weights, other passes or another card; all else stays."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BundleError
from .contents import json_bytes
from .first_stage import FIRST_STAGE_FILE
from .manifest import STRUCTURES_FILE, Manifest, settling_problem, sharing_problem
from .store import MODEL_CARD_FILE, RATING_FILE, ModelBundle, check_new_bundle, write_files
from .structures import structures_file
from .weights import encode_weights, weights_files

if TYPE_CHECKING:
    from torch import Tensor


def check_new_version(bundle: ModelBundle, folder: str | Path, version: str) -> Path:
    """Refuse, before any work, what cannot become a new version of `bundle` in the new folder `folder`; returns it resolved.

    Raises:
        BundleError: the version is the old one, or `folder` holds something or cannot be written.
    """
    _check_version(bundle, version)
    return check_new_bundle(folder)


def update_calibration(
    bundle: ModelBundle, calibration: dict[str, Any], folder: str | Path, version: str, date: str | None = None
) -> ModelBundle:
    """Write `bundle` with another calibration as a new version in the new folder `folder`; `date` defaults to today.

    Raises:
        BundleError: the version is the old one, or `folder` holds something or cannot be written.
    """
    _check_version(bundle, version)
    manifest = replace(bundle.manifest, version=version, date=date or datetime.date.today().isoformat())
    return write_files(Path(folder), manifest, _kept_files(bundle, bundle.card), calibration)


def update_rating(bundle: ModelBundle, rating: dict[str, Any], folder: str | Path, version: str) -> ModelBundle:
    """Write `bundle` with another calibration for masks that others made, as a new version of today in the new folder `folder`.

    Raises:
        BundleError: the version is the old one, or `folder` holds something or cannot be written.
    """
    _check_version(bundle, version)
    manifest = replace(bundle.manifest, version=version, date=datetime.date.today().isoformat())
    files = {**_kept_files(bundle, bundle.card), RATING_FILE: json_bytes(rating)}
    return write_files(Path(folder), manifest, files, bundle.calibration)


def update_weights(bundle: ModelBundle, state: Mapping[str, Tensor], card: str, folder: str | Path, version: str) -> ModelBundle:
    """Write `bundle`, of one network, with the state dictionary of another of its kind and its card, as a new version of today
    without any calibration in the new folder `folder`. Kernels are stored as float16 where that changes none, else as float32.

    Raises:
        BundleError: the version is the old one, the weights do not fit, or `folder` holds something or cannot be written.
    """
    _check_version(bundle, version)
    manifest = replace(bundle.manifest, version=version, date=datetime.date.today().isoformat())
    exact = all(bool((value.half().float() == value).all()) for value in state.values() if value.ndim > 1)
    (name,) = weights_files(manifest.members)
    weights = encode_weights(state, manifest.network, "float16" if exact else "float32")
    files = {key: data for key, data in _kept_files(bundle, card).items() if key != RATING_FILE}
    return write_files(Path(folder), manifest, {**files, name: weights}, None)


def update_mirrored(bundle: ModelBundle, mirrored: bool, folder: str | Path, version: str) -> ModelBundle:
    """Write `bundle` with passes that look in a mirror, or without, as a new version of today in the new folder `folder`.

    It has no calibration, since what passes disagree on is another thing then.

    Raises:
        BundleError: the version is the old one, its passes are such already, they are too few to be shared, or `folder` holds
            something or cannot be written.
    """
    _check_version(bundle, version)
    if bundle.manifest.preprocessing.mirrored == mirrored:
        if mirrored:
            raise BundleError(f"{bundle.manifest.name} {bundle.manifest.version} looks in a mirror already; nothing was written.")
        raise BundleError(f"No pass of {bundle.manifest.name} {bundle.manifest.version} looks in a mirror; nothing was written.")
    preprocessing = replace(bundle.manifest.preprocessing, mirrored=mirrored)
    return _with_other_passes(bundle, replace(bundle.manifest, preprocessing=preprocessing, version=version), folder)


def update_auto_passes(bundle: ModelBundle, auto_passes: bool, folder: str | Path, version: str) -> ModelBundle:
    """Write `bundle` with passes that end where a slice has settled, or with all of them, as a new version of today in `folder`.

    It has no calibration, since lights hold for passes like those that they were learned with.

    Raises:
        BundleError: the version is the old one, its passes are such already, they are too few to be left early, or `folder`
            holds something or cannot be written.
    """
    _check_version(bundle, version)
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    if bundle.manifest.auto_passes == auto_passes:
        if auto_passes:
            raise BundleError(f"{name} draws fewer passes of slices that have settled already; nothing was written.")
        raise BundleError(f"{name} draws all passes of every slice; nothing was written.")
    return _with_other_passes(bundle, replace(bundle.manifest, auto_passes=auto_passes, version=version), folder)


def _with_other_passes(bundle: ModelBundle, manifest: Manifest, folder: str | Path) -> ModelBundle:
    problem = sharing_problem(manifest) or settling_problem(manifest)
    if problem:
        raise BundleError(f"The new bundle would have {problem}; nothing was written.")
    files = {key: data for key, data in _kept_files(bundle, bundle.card).items() if key != RATING_FILE}
    return write_files(Path(folder), replace(manifest, date=datetime.date.today().isoformat()), files, None)


def update_card(bundle: ModelBundle, card: str, folder: str | Path) -> ModelBundle:
    """Write `bundle` with another card into the new folder `folder`; network, calibration, version and date stay.

    Raises:
        BundleError: `folder` exists or cannot be written, or the bundle's weights changed since it was loaded.
    """
    return write_files(Path(folder), bundle.manifest, _kept_files(bundle, card), bundle.calibration)


def _check_version(bundle: ModelBundle, version: str) -> None:
    if version == bundle.manifest.version:
        raise BundleError(f"The bundle already has version {version}; give the new bundle another version.")


def _kept_files(bundle: ModelBundle, card: str) -> dict[str, bytes]:
    """The files of a bundle that is written anew with this card, all but its calibration."""
    own = bundle.table if bundle.manifest.structures == STRUCTURES_FILE else None
    rating = {} if bundle.rating is None else {RATING_FILE: json_bytes(bundle.rating)}
    names = [*weights_files(bundle.manifest.members), *(name for name in bundle.manifest.files if name == FIRST_STAGE_FILE)]
    unchanged = {name: bundle.read_file(name) for name in names}
    return {**unchanged, MODEL_CARD_FILE: card.encode("utf-8"), **structures_file(own), **rating}

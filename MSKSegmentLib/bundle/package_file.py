"""A bundle as one file for another site: its files and a list of their digests in a zip, signed if a key was given.

The list, ``package.json``, also says what the other site asks first: what the model was trained on, its licence, on how much its
calibration rests. A signature is one of this list, and so of every file that it names. Nothing in the file can run code.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BundleError, InputError
from ..output.files import whole_file
from ..output.filling import whole_folder
from .contents import json_bytes, sha256_of
from .first_stage import WHOLE_BODY, FirstStage
from .said import calibration_words, card_section
from .signing import check_signature, fingerprint_of_file, sign
from .store import BUNDLE_FILES, MANIFEST_FILE, ModelBundle, check_new_bundle, load_bundle

SUFFIX = ".mskseg"
FORMAT, FORMAT_VERSION = "mskseg-bundle-file", 1
_LIST, _SIGNATURE = "package.json", "signature.json"
_NAMES = {*BUNDLE_FILES, _LIST, _SIGNATURE}
# Weights of the published network take 120 MB; a file that unpacks to more than this is none of ours.
_MOST_BYTES = 2 << 30
_TRAINING = "Training data"


@dataclass(frozen=True)
class PackageFacts:
    """What a file holds: `about` as its list says it, the SHA-256 of the whole file, and whose signature it has (None: none)."""

    about: Mapping[str, Any]
    sha256: str
    signed_by: str | None

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """Titles and texts, for people."""
        about = self.about
        return (
            ("Bundle", f"{about.get('name', '')} {about.get('version', '')}, {about.get('date', '')}"),
            ("Description", str(about.get("description", ""))),
            ("Training data", str(about.get("training_data") or "not stated in its card")),
            ("Calibration", str(about.get("calibration", ""))),
            *((("First stage", str(about["first_stage"])),) if about.get("first_stage") else ()),
            ("Licence", str(about.get("license", ""))),
            ("Signature", f"by the key {self.signed_by}" if self.signed_by else "none"),
            ("SHA-256", self.sha256),
        )


def export_package(bundle: ModelBundle, path: Path, private_key: Path | None = None) -> PackageFacts:
    """Write a bundle as one file, signed where a key is given; the file appears whole or not at all.

    Raises:
        InputError: the file cannot be written, or the key cannot be used.
        BundleError: a file of the bundle changed since it was loaded.
    """
    files = {name: (bundle.folder / name).read_bytes() for name in (MANIFEST_FILE, *bundle.manifest.files)}
    digests = {name: sha256_of(content) for name, content in files.items()}
    if digests != {MANIFEST_FILE: bundle.digest, **bundle.manifest.files}:
        raise BundleError(f"The model bundle {bundle.folder.name} changed while it was read; get a fresh copy of it.")
    about = _about(bundle)
    content = {"format": FORMAT, "format_version": FORMAT_VERSION, "about": about, "files": digests}
    listed = json_bytes(content)
    signature = None if private_key is None else sign(listed, private_key)
    with whole_file(path, SUFFIX) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_LIST, listed)
        if signature is not None:
            archive.writestr(_SIGNATURE, json_bytes(dict(signature)))
        for name, data in files.items():
            archive.writestr(name, data)
    return read_package(path)


def read_package(path: Path) -> PackageFacts:
    """What a file holds, after every digest in it and its signature were checked.

    Raises:
        BundleError: it is no such file, or anything in it was changed.
        DependencyError: it is signed, and the package that checks signatures is missing.
    """
    return _read(path)[0]


def import_package(path: Path, folder: Path, sha256: str | None = None, trusted: Path | None = None) -> ModelBundle:
    """Unpack a file into a new bundle, which appears whole or not at all.

    `sha256` is the digest that the sender told, `trusted` the sender's public key; either is held against the file.

    Raises:
        BundleError: the file is not what was sent: a digest or signature does not fit.
        InputError: nothing can be written there, or the key cannot be used.
    """
    facts, files = _read(path)
    if sha256 is not None and sha256.strip().casefold() != facts.sha256:
        raise BundleError(
            f"The SHA-256 of {path.name} is not the one that was told: it is another file, or was changed on the way."
        )
    if trusted is not None:
        expected = fingerprint_of_file(trusted)
        if facts.signed_by is None:
            raise BundleError(f"{path.name} is not signed; ask the sender for a signed file.")
        if facts.signed_by != expected:
            raise BundleError(f"{path.name} was signed with another key ({facts.signed_by}) than {trusted.name} ({expected}).")
    real = check_new_bundle(folder)
    try:
        with whole_folder(real, "bundle", MANIFEST_FILE, BUNDLE_FILES) as partial:
            for name, content in files.items():
                (partial / name).write_bytes(content)
            # Before it appears under its name: a bundle that cannot be loaded is none.
            load_bundle(partial)
    except InputError as error:
        raise BundleError(str(error)) from error
    return load_bundle(real)


def _read(path: Path) -> tuple[PackageFacts, dict[str, bytes]]:
    try:
        whole = path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            unknown = sorted({info.filename for info in infos} - _NAMES)
            if unknown or len({info.filename for info in infos}) != len(infos):
                raise _changed(path, f"{Path(unknown[0]).name or 'a folder'} is in it" if unknown else "a name is in it twice")
            if sum(info.file_size for info in infos) > _MOST_BYTES:
                raise _changed(path, "it is too large")
            files = {info.filename: archive.read(info) for info in infos}
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path.name}; check the path.") from error
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise BundleError(f"{path.name} is no bundle file, or is damaged; ask for a fresh one.") from error
    listed, signature = files.pop(_LIST, None), files.pop(_SIGNATURE, None)
    if listed is None:
        raise BundleError(f"{path.name} is no bundle file: it has no {_LIST}; ask for one made with 'mskseg bundle export'.")
    content = _json(path, listed, _LIST)
    if content.get("format") != FORMAT or content.get("format_version") != FORMAT_VERSION:
        raise BundleError(f"{path.name} was made by another version of this software; update it, or ask for a fresh file.")
    digests, about = content.get("files"), content.get("about")
    if not isinstance(digests, dict) or not isinstance(about, dict):
        raise _changed(path, f"its {_LIST} is garbled")
    for name in sorted({*digests, *files}):
        if name not in files:
            raise _changed(path, f"{name} is missing")
        if digests.get(name) != sha256_of(files[name]):
            raise _changed(path, f"{name} is not the one that was packed")
    signed_by = None if signature is None else check_signature(listed, _json(path, signature, _SIGNATURE), path.name)
    return PackageFacts(about, sha256_of(whole), signed_by), files


def _about(bundle: ModelBundle) -> dict[str, Any]:
    manifest = bundle.manifest
    stage = manifest.preprocessing.first_stage
    return {
        **({} if stage is None else {"first_stage": _words_of_stage(stage)}),
        "name": manifest.name,
        "version": manifest.version,
        "date": manifest.date,
        "description": manifest.description,
        "license": manifest.license,
        "training_data": card_section(bundle.card, _TRAINING),
        "calibration": calibration_words(bundle.calibration),
    }


def _words_of_stage(stage: FirstStage) -> str:
    missing = "" if stage.kind == WHOLE_BODY or stage.inside else ". That network is not in this file: send it, too"
    return stage.words + missing


def _json(path: Path, content: bytes, name: str) -> dict[str, Any]:
    try:
        data = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _changed(path, f"its {name} is no JSON") from error
    if not isinstance(data, dict):
        raise _changed(path, f"its {name} is garbled")
    return data


def _changed(path: Path, problem: str) -> BundleError:
    return BundleError(f"{path.name} was changed or damaged on the way ({problem}); ask the sender for a fresh file.")

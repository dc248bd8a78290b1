"""Model bundles on disk: load, verify, save.

A bundle is a folder with exactly ``bundle.json``, ``weights.safetensors``, ``MODEL_CARD.md`` and, once calibrated,
``calibration.json``, and ``rating.json`` once it can judge masks that others made; one of other structures than a built-in table's
also has ``structures.json``, one of several networks ``weights_2.safetensors`` and so on, one behind a first network that one as
``first_stage.mskseg``. The manifest holds the SHA-256 of the others. Nothing in it can run code when read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from ..anatomy import StructureTable
from ..errors import BundleError, InputError
from ..output.digests import sha256_of_file
from ..output.filling import recover, whole_folder
from ..output.places import check_new_folder, foreign_files, resolved
from ..tasks import Task
from .contents import json_bytes, sha256_of
from .first_stage import FIRST_STAGE_FILE
from .manifest import MOST_MEMBERS, STRUCTURES_FILE, Manifest
from .structures import check_classes, structures_file, structures_of, task_of, usual_table
from .weights import decode_weights, encode_weights, weights_files

if TYPE_CHECKING:
    from torch import Tensor, nn

MANIFEST_FILE = "bundle.json"
CALIBRATION_FILE = "calibration.json"
RATING_FILE = "rating.json"
MODEL_CARD_FILE = "MODEL_CARD.md"

_ALLOWED = (
    *weights_files(MOST_MEMBERS),
    MODEL_CARD_FILE,
    CALIBRATION_FILE,
    RATING_FILE,
    STRUCTURES_FILE,
    FIRST_STAGE_FILE,
)
BUNDLE_FILES = (*_ALLOWED, MANIFEST_FILE)


@dataclass(frozen=True)
class ModelBundle:
    """A verified bundle.

    `digest` (SHA-256 of bundle.json, hex) identifies it with all its files; `table` are its structures. `calibration` and `rating`
    are the contents of the files of these names, None where it has none.
    """

    manifest: Manifest
    folder: Path
    calibration: dict[str, Any] | None
    card: str
    digest: str
    table: StructureTable
    rating: dict[str, Any] | None = None

    @property
    def task(self) -> Task:
        """The task that the network does, with the bundle's structures.

        Raises:
            BundleError: there is no such task here, or its file is faulty.
        """
        return task_of(self.folder, self.manifest, self.table)

    def load_network(self) -> nn.Module:
        """The network with its weights: float32, on the CPU, in evaluation mode (dropout off); of several an `Ensemble`.

        Raises:
            BundleError: the weights changed since the bundle was loaded, or do not fit the manifest's network.
        """
        networks = [decode_weights(self.read_file(name), self.manifest.network) for name in weights_files(self.manifest.members)]
        if len(networks) == 1:
            return networks[0]
        from ..network.ensemble import Ensemble

        return Ensemble(networks)

    def read_file(self, name: str) -> bytes:
        """The bytes of a file of the manifest, verified anew because it may have changed since loading.

        Raises:
            BundleError: the file is gone or was altered.
        """
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise _damaged(self.folder, f"{name} cannot be read") from error
        if sha256_of(data) != self.manifest.files[name]:
            raise _damaged(self.folder, f"{name} was altered")
        return data


def load_bundle(folder: str | Path) -> ModelBundle:
    """Read a bundle after verifying every file.

    Raises:
        BundleError: not a bundle, or a file is missing, extra, altered or unsafe.
    """
    folder = Path(folder)
    _recover(folder)
    manifest, digest = _read_manifest(folder)
    problems = _file_problems(folder, manifest)
    if problems:
        raise _damaged(folder, problems[0])
    try:
        card = (folder / MODEL_CARD_FILE).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _damaged(folder, f"{MODEL_CARD_FILE} is not readable text") from error
    calibration, rating = (_read_values(folder, manifest, name) for name in (CALIBRATION_FILE, RATING_FILE))
    return ModelBundle(manifest, folder, calibration, card, digest, structures_of(folder, manifest), rating)


def verify_bundle(folder: str | Path) -> list[str]:
    """What is wrong with a bundle, one phrase or sentence each; empty when it may be used."""
    folder = Path(folder)
    try:
        manifest, _ = _read_manifest(folder)
        problems = _file_problems(folder, manifest)
        if not problems:
            load_bundle(folder).load_network()
    except BundleError as error:
        return [str(error)]
    return problems


def read_manifest(folder: str | Path) -> Manifest:
    """The manifest alone, with no other file looked at: for lists.

    Raises:
        BundleError: bundle.json is missing or not a manifest that this software reads.
    """
    return _read_manifest(Path(folder))[0]


def save_bundle(
    folder: str | Path,
    manifest: Manifest,
    network_state: Mapping[str, Tensor],
    calibration: dict[str, Any] | None,
    card: str,
    dtype: str = "float16",
    replace_old: bool = False,
    table: StructureTable | None = None,
) -> ModelBundle:
    """Write a bundle and load it back. `folder` appears whole or not at all; `manifest.files` is filled in.

    The folder is new or empty or, with `replace_old`, a bundle that is replaced. `table` are the structures of a network of others
    than a built-in table's; None: those that the manifest names, or those of its task where that is not the default one.

    `network_state` is the state dictionary of the manifest's network; its kernels are stored as `dtype` ("float16",
    "bfloat16" or "float32"), biases and batch-norm statistics as float32.

    Raises:
        BundleError: `folder` holds something or cannot be written, or manifest, weights and calibration do not fit or hold
            numbers that are not finite.
    """
    manifest, files = new_files(Path(folder), manifest, network_state, card, dtype, table)
    return write_files(Path(folder), manifest, files, calibration, replace_old)


def new_files(
    folder: Path,
    manifest: Manifest,
    network_state: Mapping[str, Tensor],
    card: str,
    dtype: str = "float16",
    table: StructureTable | None = None,
) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest of a new bundle, and its files by name without its calibration; the rest as for `save_bundle`.

    Raises:
        BundleError: the network's classes are not those of the table, or the weights do not fit the network.
    """
    table = usual_table(manifest) if table is None else table
    if table is not None:
        check_classes(folder, manifest, table)
        manifest = replace(manifest, structures=STRUCTURES_FILE)
    (weights_file,) = weights_files(1)
    return manifest, {
        weights_file: encode_weights(network_state, manifest.network, dtype),
        MODEL_CARD_FILE: card.encode("utf-8"),
        **structures_file(table),
    }


def check_new_bundle(folder: str | Path) -> Path:
    """Refuse, before any work, a place where no bundle can be written; returns it resolved.

    Raises:
        BundleError: it is a file or a folder with files in it, or nothing can be written there.
    """
    try:
        real = resolved(Path(folder))
        if real.is_dir() and foreign_files(real):
            raise BundleError(f"There already is a {real.name}; choose a new or empty folder for the bundle.")
        return check_new_folder(real, BUNDLE_FILES)
    except InputError as error:
        raise BundleError(str(error)) from error


def _recover(folder: Path) -> None:
    try:
        recover(folder)
    except InputError as error:
        raise BundleError(str(error)) from error


def _read_manifest(folder: Path) -> tuple[Manifest, str]:
    path = folder / MANIFEST_FILE
    if not path.is_file():
        raise BundleError(f"{folder.name or 'The folder'} is not a model bundle: it has no {MANIFEST_FILE}.")
    try:
        data = path.read_bytes()
        content = json.loads(data.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(folder, f"{MANIFEST_FILE} is not readable JSON") from error
    return Manifest.from_json(content), sha256_of(data)


def _file_problems(folder: Path, manifest: Manifest) -> list[str]:
    """Phrases; only plain names from a fixed list are ever opened, so that no name can lead out of the folder."""
    networks = weights_files(manifest.members)
    allowed = {*_ALLOWED} - {*weights_files(MOST_MEMBERS)[manifest.members :]}
    problems = [f"the manifest lists no {name}" for name in (*networks, MODEL_CARD_FILE) if name not in manifest.files]
    problems += [
        f"the manifest lists {PureWindowsPath(name).name or 'a folder'}, which is not a file of a bundle"
        for name in manifest.files
        if name not in allowed
    ]
    present = set(foreign_files(folder))
    expected = {name for name in manifest.files if name in allowed}
    extra = sorted(present - expected - {MANIFEST_FILE})
    problems += [f"{name} is in the folder but not in the manifest" for name in extra]
    for name in sorted(expected):
        if not (folder / name).is_file():
            problems.append(f"{name} is missing")
            continue
        try:
            altered = sha256_of_file(folder / name) != manifest.files[name]
        except OSError:
            problems.append(f"{name} cannot be read")
            continue
        if altered:
            problems.append(f"{name} was altered")
    return problems


def write_files(
    folder: Path,
    manifest: Manifest,
    files: dict[str, bytes],
    calibration: dict[str, Any] | None,
    replace_old: bool = False,
) -> ModelBundle:
    """Write the files of a bundle, by name, with its manifest and calibration, and load it back.

    Raises:
        BundleError: `folder` holds something or cannot be written, or a number is not finite.
    """
    if calibration is not None:
        files = {**files, CALIBRATION_FILE: json_bytes(calibration)}
    manifest = replace(manifest, files={name: sha256_of(data) for name, data in files.items()})
    content = json_bytes(manifest.to_json())
    Manifest.from_json(json.loads(content))
    real = resolved(folder) if replace_old else check_new_bundle(folder)
    try:
        with whole_folder(real, "bundle", MANIFEST_FILE, BUNDLE_FILES) as partial:
            for name, data in {**files, MANIFEST_FILE: content}.items():
                (partial / name).write_bytes(data)
    except InputError as error:
        raise BundleError(str(error)) from error
    return load_bundle(real)


def _read_values(folder: Path, manifest: Manifest, name: str) -> dict[str, Any] | None:
    """The content of a JSON file of the bundle; None where it has no such file."""
    if name not in manifest.files:
        return None
    try:
        content = json.loads((folder / name).read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(folder, f"{name} is not readable text") from error
    if not isinstance(content, dict):
        raise _damaged(folder, f"{name} is not a table of values")
    return content


def _damaged(folder: Path, problem: str) -> BundleError:
    return BundleError(f"The model bundle {folder.name} cannot be used: {problem}; get a fresh copy of it.")

"""The first network of a cascade: found and verified, put into the bundle of the second, and named from outside of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BundleError, InputError
from .finding import SEARCH_VARIABLE, bundle_folder
from .first_stage import FIRST_STAGE_FILE, OTHER_BUNDLE, FirstStage
from .manifest import Manifest, Preprocessing
from .package_file import SUFFIX, export_package, import_package
from .store import MANIFEST_FILE, ModelBundle, load_bundle, new_files, write_files

if TYPE_CHECKING:
    from torch import Tensor


@contextmanager
def opened_first_stage(preprocessing: Preprocessing, modality: str, folder: Path | None = None) -> Iterator[ModelBundle | None]:
    """The verified bundle of the first network, for the time of the block; None where a bundle has no such stage.

    `modality` is that of the second network's task, `folder` its bundle's; without one, as in a recipe, the first network is named
    by path or as an installed bundle.

    Raises:
        BundleError: the first network is missing, another one than the second was made behind, or cannot be the first of two.
    """
    stage = preprocessing.first_stage
    if stage is None or stage.kind != OTHER_BUNDLE:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="mskseg-first-stage-") as unpacked:
        first = _found(stage, folder, Path(unpacked) / Path(FIRST_STAGE_FILE).stem)
        _check(stage, first, modality)
        yield first


def first_stage_problems(folder: Path) -> list[str]:
    """What is wrong with the first network of the whole bundle in `folder`, as a sentence; empty where it may be used."""
    try:
        bundle = load_bundle(folder)
        with opened_first_stage(bundle.manifest.preprocessing, bundle.task.modality, folder) as first:
            if first is not None:
                first.load_network()
    except BundleError as error:
        return [str(error)]
    return []


def located(bundle: ModelBundle) -> Preprocessing:
    """The preprocessing of a bundle with its first network, if it lies inside, named by its place, for a recipe."""
    preprocessing = bundle.manifest.preprocessing
    stage = preprocessing.first_stage
    if stage is None or not stage.inside:
        return preprocessing
    return replace(preprocessing, first_stage=replace(stage, bundle=str(bundle.folder / FIRST_STAGE_FILE)))


def put_inside(preprocessing: Preprocessing, modality: str) -> tuple[Preprocessing, bytes | None]:
    """The preprocessing of a new bundle that carries its first network, and that network's file; None where it has none.

    Raises:
        BundleError: the first network is missing or cannot be the first of two.
    """
    stage = preprocessing.first_stage
    with opened_first_stage(preprocessing, modality) as first, tempfile.TemporaryDirectory() as folder:
        if first is None or stage is None:
            return preprocessing, None
        path = Path(folder) / FIRST_STAGE_FILE
        export_package(first, path)
        inside = replace(stage, bundle=FIRST_STAGE_FILE, digest=first.digest)
        return replace(preprocessing, first_stage=inside), path.read_bytes()


def save_cascade(
    folder: Path, manifest: Manifest, network_state: Mapping[str, Tensor], card: str, first_network: bytes | None
) -> ModelBundle:
    """Write a bundle without calibration in place of one in `folder`, with the file of its first network (`put_inside`), if any.

    Raises:
        BundleError: as `store.save_bundle`.
    """
    manifest, files = new_files(folder, manifest, network_state, card)
    if first_network is not None:
        files[FIRST_STAGE_FILE] = first_network
    return write_files(folder, manifest, files, None, replace_old=True)


def _found(stage: FirstStage, folder: Path | None, unpacked: Path) -> ModelBundle:
    path = Path(stage.bundle) if folder is None or not stage.inside else folder / FIRST_STAGE_FILE
    if path.suffix == SUFFIX:
        try:
            return import_package(path, unpacked)
        except InputError as error:
            raise BundleError(
                f"The first network {path.name} is missing; get a fresh copy of the bundle that it belongs to."
            ) from error
    if folder is not None and (folder.parent / stage.bundle / MANIFEST_FILE).is_file():
        return load_bundle(folder.parent / stage.bundle)
    try:
        place = bundle_folder(stage.bundle)
    except BundleError as error:
        raise BundleError(
            f"The first network {path.name} is missing; put its bundle beside the one that needs it or into a folder of "
            f"{SEARCH_VARIABLE}."
        ) from error
    return load_bundle(place)


def _check(stage: FirstStage, first: ModelBundle, modality: str) -> None:
    name, keys = first.manifest.name, [structure.abbreviation for structure in first.table.structures]
    unknown = [key for key in stage.structures if key not in keys]
    if stage.digest and first.digest != stage.digest:
        problem = (
            f"has the digest {first.digest[:12]} and not {stage.digest[:12]}, so it is not the one that the second was made behind"
        )
    elif first.manifest.preprocessing.first_stage is not None:
        problem = "has a first stage of its own, and a cascade has two stages"
    elif unknown:
        problem = f"knows no structure {', '.join(unknown)}"
    elif first.task.modality != modality:
        problem = f"is one for {first.task.modality}, and the second one for {modality}"
    else:
        return
    raise BundleError(f"The first network {name} cannot be used: it {problem}; get the one that belongs to the bundle.")

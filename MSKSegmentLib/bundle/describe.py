"""What ``mskseg bundle list|info|verify`` print about bundles. Needs no torch, except to verify."""

from __future__ import annotations

import math
from pathlib import Path

from ..ct.intensity import HOUNSFIELD
from ..errors import BundleError
from ..network.families import FAMILIES
from .cascade import first_stage_problems
from .finding import SEARCH_VARIABLE, bundle_folder, find_bundles, resolve_bundle
from .manifest import Manifest, Preprocessing
from .said import calibration_words
from .store import CALIBRATION_FILE, ModelBundle, read_manifest, verify_bundle
from .weights import weights_files

_DTYPE_WORDS = {"F16": "float16", "BF16": "bfloat16", "F32": "float32"}


def describe_bundles() -> str:
    """A table of the bundles at hand: folder, name, version, size on disk, network, calibrated or not.

    The first one is the default. The files are not verified; a bundle whose manifest cannot be read says so.
    """
    folders = find_bundles()
    if not folders:
        return f"No model bundle is installed. Put one in a folder and name that folder in {SEARCH_VARIABLE}."
    rows: list[tuple[str, ...]] = [("FOLDER", "NAME", "VERSION", "SIZE", "TASK", "NETWORK", "CALIBRATED")]
    rows += [_row(folder) for folder in folders]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, f"Default: {folders[0].name}"])


def describe_bundle(name_or_path: str | Path | None = None) -> str:
    """A bundle in full, after verifying its files; None is the default bundle.

    Raises:
        BundleError: there is no such bundle, or it fails verification.
    """
    bundle = resolve_bundle(name_or_path)
    manifest, preprocessing = bundle.manifest, bundle.manifest.preprocessing
    parameters, dtype = _weights_summary(bundle)
    low, high = preprocessing.hu_window
    first, last = preprocessing.value_range
    rows = [
        ("Name", f"{manifest.name} {manifest.version} ({manifest.date})"),
        ("Task", manifest.task),
        ("Description", manifest.description),
        ("Card", _card_summary(bundle.card)),
        ("License", manifest.license),
        ("Network", f"{_network(manifest)}, dropout {manifest.network.dropout:g}"),
        ("Parameters", f"{parameters / 1e6:.3f} million{_each(manifest)}, stored as {dtype}, {_size(bundle.folder)} on disk"),
        ("Input", f"{_scale(preprocessing)} {low:g} to {high:g} mapped to {first:g} to {last:g}; {_channels(manifest)}"),
        ("Grid", _grid(manifest)),
        *((("First stage", preprocessing.first_stage.words),) if preprocessing.first_stage else ()),
        ("Passes", _passes(manifest)),
        ("Calibration", calibration_words(bundle.calibration)),
        ("Digest", bundle.digest),
    ]
    width = max(len(label) for label, _ in rows) + 2
    return "\n".join(f"{label:<{width}}{text}" for label, text in rows)


def _passes(manifest: Manifest) -> str:
    fewer = " at most, fewer of slices that have settled" if manifest.auto_passes else ""
    return f"{manifest.passes}{fewer}{', every second one of a network in a mirror' if manifest.preprocessing.mirrored else ''}"


def describe_verification(name_or_path: str | Path | None = None) -> tuple[bool, str]:
    """Whether a bundle may be used, and that in words with every problem found. Builds the network, so it needs torch.

    Raises:
        BundleError: there is no such bundle.
    """
    folder = bundle_folder(name_or_path)
    problems = verify_bundle(folder) or first_stage_problems(folder)
    if problems:
        return False, "\n".join([f"{folder.name} must not be used:", *(f"- {problem}" for problem in problems)])
    return True, f"{folder.name} is whole: every file has its SHA-256 and the weights fit the network."


def _row(folder: Path) -> tuple[str, ...]:
    try:
        manifest = read_manifest(folder)
    except BundleError:
        return folder.name, "(unreadable)", "-", _size(folder), "-", "-", "-"
    calibrated = "yes" if CALIBRATION_FILE in manifest.files else "no"
    return folder.name, manifest.name, manifest.version, _size(folder), manifest.task, _network(manifest), calibrated


def _network(manifest: Manifest) -> str:
    spec = manifest.network
    norm = ", batch norm" if spec.batch_norm else ""
    kind = FAMILIES[spec.family].title
    if spec.dimensions == 3:
        kind += f" in 3D, patches of {' x '.join(map(str, spec.patch))}"
    several = f"{manifest.members} networks: " if manifest.members > 1 else ""
    return f"{several}{kind}, {spec.levels} levels x {spec.base_filters} filters{norm}"


def _each(manifest: Manifest) -> str:
    return " each" if manifest.members > 1 else ""


def _scale(preprocessing: Preprocessing) -> str:
    return "HU" if preprocessing.intensity == HOUNSFIELD else f"intensities ({preprocessing.intensity})"


def _channels(manifest: Manifest) -> str:
    count = manifest.network.in_channels
    return "single slices" if count == 1 else f"{count} neighbouring slices"


def _grid(manifest: Manifest) -> str:
    def millimetres(value: float | None) -> str:
        return "as in the CT" if value is None else f"{value:g} mm"

    preprocessing = manifest.preprocessing
    in_plane, interval = preprocessing.in_plane_spacing_mm, preprocessing.slice_interval_mm
    return f"in plane {millimetres(in_plane)}, slice interval {millimetres(interval)}"


def _card_summary(card: str) -> str:
    """The first paragraph of the card that is not a heading, on one line."""
    paragraphs = (paragraph.strip() for paragraph in card.split("\n\n"))
    return " ".join(next((p for p in paragraphs if p and not p.startswith("#")), "(empty)").split())


def _weights_summary(bundle: ModelBundle) -> tuple[int, str]:
    """Number of trained parameters and the kernels' stored type of one network, from the header of its file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(bundle.folder / weights_files(1)[0], framework="numpy") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118 - not a dictionary
            shapes = {key: tuple(item.get_shape()) for key, item in slices.items()}
            types = {item.get_dtype() for key, item in slices.items() if len(shapes[key]) > 1}
    except (OSError, SafetensorError) as error:
        raise BundleError(
            f"The weights of {bundle.folder.name} are not a readable safetensors file; get a fresh copy of the bundle."
        ) from error
    trained = sum(math.prod(shape) for key, shape in shapes.items() if ".running_" not in key)
    return trained, " and ".join(sorted(_DTYPE_WORDS.get(kind, kind) for kind in types))


def _size(folder: Path) -> str:
    return f"{sum(entry.stat().st_size for entry in folder.iterdir() if entry.is_file()) / 1e6:.1f} MB"

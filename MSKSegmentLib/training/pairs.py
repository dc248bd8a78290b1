"""Labelled scans as training slices: on the network's grid, prepared exactly as for inference, and stored as arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ..anatomy import LEFT_OFFSET, StructureTable, table_json
from ..anatomy.built_in import HIP_AND_THIGH
from ..bundle.manifest import NetworkSpec, Preprocessing
from ..ct import WorkingGrid, body_box, resample_labels, to_working_grid
from ..ct.intensity import HOUNSFIELD
from ..errors import InputError
from ..evaluation.cases import CaseFiles, LabelledCase, read_labelled_case
from ..inference.slices import SliceReader, limb_positions, normalise, plan_slices
from .augmentation import Augmentation, augment, cut_slice
from .pair_scan import scan_as_seen
from .sources import HIP_SHARE, UNLABELLED, Batch, batch_of, classes_of_labels, favoured_classes

# Range of HU that slices keep: all that CT scanners store.
_KEPT_HU = (-1024.0, 3071.0)
# Range that is kept on the intensity scales of MR.
_KEPT_OF_SCALES = (-1024.0, 4095.0)
# Stands for UNLABELLED while labels are uint8; no structure has this value.
_NOT_DRAWN = 255
# Within this distance of the plane between the legs it is uncertain to which leg a voxel belongs.
_MIDDLE_MM = 10.0


def prepare_case(
    files: CaseFiles, cache: Path, network: NetworkSpec, preprocessing: Preprocessing, table: StructureTable = HIP_AND_THIGH
) -> Path:
    """Bring a case with labels of `table` to the network's grid and store it in `cache`; returns the array's path.

    ``<case>.npy`` is int16 ``[n, channels + 1, h, w]``: HU of the neighbouring slices, then the class (`UNLABELLED` where
    nobody drew). A slice in which different structures were drawn on the right and on the left is stored twice, each time with
    the other half as `UNLABELLED`. For a 3D network every level is stored once, and a structure counts as known if it was drawn on
    both sides. ``<case>.json`` holds the structures that were drawn, for all entries or for each, the position of the entries along
    the limb, and a fingerprint of the input: the array is written again when that changes.

    Raises:
        InputError: the case cannot be read, or has no body or no labelled slice.
    """
    path, facts = cache / f"{files.name}.npy", cache / f"{files.name}.json"
    made_of = _fingerprint(files, network, preprocessing, table)
    if path.exists() and facts.exists() and json.loads(facts.read_text(encoding="utf-8"))["made_of"] == made_of:
        return path
    case = read_labelled_case(files, table)
    cache.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    partial = cache / f"{files.name}.partial.npy"
    known, positions = _write_slices(partial, case, network, preprocessing)
    content = {"made_of": made_of, "known": known.tolist(), "positions": positions}
    facts.write_text(json.dumps(content), encoding="utf-8")
    partial.rename(path)
    return path


class PairSlices:
    """Random training slices of cases that `prepare_case` stored, or patches where `crop` is ``(depth, height, width)``."""

    def __init__(
        self,
        files: Sequence[Path],
        preprocessing: Preprocessing,
        crop: tuple[int, ...],
        seed: int,
        augmentation: Augmentation,
        table: StructureTable = HIP_AND_THIGH,
    ) -> None:
        self._preprocessing = preprocessing
        self._depth = crop[0] if len(crop) == 3 else None
        self._crop = crop[-2], crop[-1]
        self._rng = np.random.default_rng(seed)
        self._augmentation = augmentation
        self._cases = [_open(path, favoured_classes(table)) for path in files]

    def refresh(self) -> int:
        """The number of cases, which is fixed."""
        return len(self._cases)

    def batch(self, size: int) -> Batch:
        """`size` random slices; all cases are equally likely."""
        chosen = [self._cases[self._rng.integers(len(self._cases))] for _ in range(size)]
        images, labels, known, positions = zip(*(self._slice(case) for case in chosen), strict=True)
        hu, classes = augment(np.stack(images), np.stack(labels), self._rng, self._augmentation)
        return batch_of(normalise(hu, self._preprocessing), classes, torch.from_numpy(np.stack(known)), positions)

    def _slice(self, case: _StoredCase) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        entries = case.hip if case.hip.size and self._rng.random() < HIP_SHARE else case.drawn
        entry = int(self._rng.choice(entries))
        if self._depth is not None:
            return self._patch(case, entry, self._depth)
        planes = case.data[entry]
        image, label = cut_slice(planes[:-1], planes[-1], self._crop, self._rng, self._augmentation)
        return image, label, case.known[entry], case.positions[entry]

    def _patch(self, case: _StoredCase, entry: int, depth: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """`depth` neighbouring entries around one; if there are fewer, the last is repeated."""
        count = len(case.data)
        first = int(np.clip(entry - depth // 2, 0, max(0, count - depth)))
        chosen = np.minimum(np.arange(first, first + depth), count - 1)
        planes = case.data[chosen]
        image, label = cut_slice(list(planes[:, 0]), planes[:, -1], self._crop, self._rng, self._augmentation)
        drawn = (planes[:, -1] != UNLABELLED).any(axis=(1, 2))
        known = case.known[chosen[drawn]].all(axis=0)
        # A structure that is not known in the whole patch is background in all of it, as the loss expects.
        label[(label > 0) & ~known[label.clip(0)]] = 0
        return image, label, known, case.positions[entry]


@dataclass(frozen=True)
class _StoredCase:
    """A case's array, the indices of its labelled entries and of those to be favoured, and for each entry the known structures,
    bool ``[n, classes]``, and the position along the limb."""

    data: np.ndarray
    drawn: np.ndarray
    hip: np.ndarray
    known: np.ndarray
    positions: list[float]


def _open(path: Path, favoured: Sequence[int]) -> _StoredCase:
    data = np.load(path, mmap_mode="r")
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    known = np.array(facts["known"], dtype=bool)
    sampled = data[:, -1, ::2, ::2]
    drawn = np.flatnonzero((data[:, -1] != UNLABELLED).any(axis=(1, 2)))
    hip = np.flatnonzero(np.isin(sampled, favoured).any(axis=(1, 2)))
    return _StoredCase(data, drawn, hip, np.broadcast_to(known, (len(data), known.shape[-1])), facts["positions"])


@dataclass(frozen=True)
class _Entry:
    """One stored slice: its level, the drawn structures bool ``[classes]``, and the columns that count (None: all)."""

    level: int
    known: np.ndarray
    columns: slice | None = None


def _write_slices(
    path: Path, case: LabelledCase, network: NetworkSpec, preprocessing: Preprocessing
) -> tuple[np.ndarray, list[float]]:
    """Write the array; returns the drawn structures, bool ``[classes]`` or, where they differ, ``[n, classes]``, and positions."""
    working = to_working_grid(case.volume)
    truth = _truth(case, working)
    box = body_box(working.volume)
    if box is None or working.body is None:
        raise InputError(f"The CT of the case {case.name!r} shows no body; take the case out of the folder.")
    geometry = working.volume.geometry.cropped(box.start_xyz, box.size_xyz)
    scan = scan_as_seen(case.name, working, working.body, preprocessing)
    body = replace(working.volume, hu=np.ascontiguousarray(scan.intensities[box.slices]), geometry=geometry)
    truth = truth[box.slices]
    plan = plan_slices(body, preprocessing, network)
    kept = _KEPT_HU if preprocessing.intensity == HOUNSFIELD else _KEPT_OF_SCALES
    # The same reader as at inference, with a window that leaves HU unchanged: the network's is applied after augmentation.
    reader = SliceReader(body, plan, replace(preprocessing, hu_window=kept, value_range=kept), network.in_channels)
    if network.dimensions == 3:
        levels = list(plan.levels)
        entries = _whole_entries(case, working, box.slices[0], truth, levels)
    else:
        levels = [level for level in plan.levels if not reader.is_empty(level)]
        entries = _entries(case, working, box.slices[0], truth, geometry.spacing[0], levels)
    if not any((truth[round(levels[entry.level])] != _NOT_DRAWN).any() for entry in entries):
        raise InputError(f"The case {case.name!r} has no labelled slice with a body in it; correct its labelled.json.")
    shape = (len(entries), network.in_channels + 1, *plan.grid)
    stored = np.lib.format.open_memmap(path, "w+", np.int16, shape)
    for index, entry in enumerate(entries):
        level = levels[entry.level]
        hu = reader.read(level)[0, :, : plan.grid[0], : plan.grid[1]]
        stored[index, :-1] = hu.round().to(torch.int16).numpy()
        # Labels were drawn on slices of the scan: take the nearest slice and its nearest pixels.
        plane = torch.from_numpy(_classes(truth[round(level)], entry, case.table).astype(np.float32))[None, None]
        stored[index, -1] = functional.interpolate(plane, plan.grid, mode="nearest-exact")[0, 0].numpy()
    stored.flush()
    positions = limb_positions(np.array([levels[entry.level] for entry in entries]), (0, len(body.hu) - 1))
    return (case.structures if case.known is None else np.stack([entry.known for entry in entries])), positions


def _truth(case: LabelledCase, working: WorkingGrid) -> np.ndarray:
    """Labels with sides, uint8 ``[z, y, x]`` on the working grid, `_NOT_DRAWN` where nobody drew."""
    labels = case.truth.copy()
    labels[~case.slices] = _NOT_DRAWN
    if case.outside is not None:
        labels[case.outside] = _NOT_DRAWN
    if working.order is not None:
        return np.ascontiguousarray(working.order.apply(labels))
    # Beyond the scan there is air in the CT and background in the labels.
    return resample_labels(labels, working.input_geometry, working.volume.geometry)


def _classes(labels: np.ndarray, entry: _Entry, table: StructureTable) -> np.ndarray:
    """Classes int16 ``[y, x]`` of one slice of labels with sides: structures that were not drawn become background."""
    numbers = classes_of_labels(table).astype(np.int16)
    numbers[numbers > 0] *= entry.known[numbers[numbers > 0]]
    numbers[_NOT_DRAWN] = UNLABELLED
    classes = numbers[labels]
    if entry.columns is not None:
        kept = classes[:, entry.columns].copy()
        classes[:] = UNLABELLED
        classes[:, entry.columns] = kept
    return classes


def _entries(
    case: LabelledCase, working: WorkingGrid, rows: slice, truth: np.ndarray, x_mm: float, levels: Sequence[float]
) -> list[_Entry]:
    """The entries to store; `truth` ``[z, y, x]`` covers the slices `rows` of the working grid, `x_mm` is its spacing along x."""
    if case.known is None:
        return [_Entry(number, case.structures) for number in range(len(levels))]
    right, left = (_known_classes(case, working, side)[rows] for side in (0, LEFT_OFFSET))
    middles = _middles(truth)
    reach, width = round(_MIDDLE_MM / x_mm), truth.shape[2]
    # In a scan of one leg the other side's structures cannot be missing.
    has_left = bool(((truth > LEFT_OFFSET) & (truth != _NOT_DRAWN)).any())
    entries = []
    for number, level in enumerate(levels):
        k = round(level)
        middle = middles[k]
        if middle is None:
            entries.append(_Entry(number, left[k] if has_left else right[k]))
        elif (right[k] == left[k]).all():
            entries.append(_Entry(number, right[k]))
        else:
            # The patient's right lies at small x.
            entries.append(_Entry(number, right[k], slice(0, max(0, middle - reach))))
            entries.append(_Entry(number, left[k], slice(min(width, middle + reach), width)))
    return [entry for entry in entries if entry.known[1:].any()]


def _whole_entries(
    case: LabelledCase, working: WorkingGrid, rows: slice, truth: np.ndarray, levels: Sequence[float]
) -> list[_Entry]:
    """One entry for every level, so that neighbours stay neighbours; without a structure known on both sides none of it counts."""
    if case.known is None:
        return [_Entry(number, case.structures) for number in range(len(levels))]
    known = _known_classes(case, working, 0)[rows]
    if ((truth > LEFT_OFFSET) & (truth != _NOT_DRAWN)).any():
        known = known & _known_classes(case, working, LEFT_OFFSET)[rows]
    planes = [known[round(level)] for level in levels]
    return [_Entry(number, plane, None if plane[1:].any() else slice(0, 0)) for number, plane in enumerate(planes)]


def _known_classes(case: LabelledCase, working: WorkingGrid, offset: int) -> np.ndarray:
    """The classes that were drawn in each slice of the working grid, on the side with the label `offset`; bool ``[z, classes]``."""
    assert case.known is not None
    order = working.order
    known = case.known
    if order is None or order.axes[2] != 2:
        # The drawn slices are not those of the working grid: only what is known in all of them is known in each of these.
        depth = working.volume.geometry.size[2]
        known = np.broadcast_to(known.all(axis=0), (depth, known.shape[1]))
    elif order.signs[2] < 0:
        known = known[::-1]
    classes = np.ones((len(known), case.table.classes), bool)
    for structure in case.table.structures:
        classes[:, structure.index] = known[:, structure.index + (offset if structure.paired else 0)]
    return classes


def _middles(truth: np.ndarray) -> list[int | None]:
    """The column midway between right and left labels, for each slice that of the nearest slice with both; None without any."""
    found: dict[int, int] = {}
    for k, plane in enumerate(truth):
        known = (plane > 0) & (plane != _NOT_DRAWN)
        sides = [np.flatnonzero((known & (side == (plane > LEFT_OFFSET))).any(axis=0)) for side in (False, True)]
        if all(side.size for side in sides):
            found[k] = round(float(sum(side.mean() for side in sides)) / 2)
    return [found[min(found, key=lambda other: abs(other - k))] if found else None for k in range(len(truth))]


def _fingerprint(files: CaseFiles, network: NetworkSpec, preprocessing: Preprocessing, table: StructureTable) -> str:
    """Changes with the files, the grid, the neighbouring slices and the structures; HU windows are applied later."""
    spacing = preprocessing.in_plane_spacing_mm, preprocessing.slice_interval_mm, preprocessing.intensity
    stage = preprocessing.first_stage
    parts = [] if stage is None else [json.dumps(stage.to_json())]
    parts += [str(spacing), str(network.in_channels), str(network.levels), str(network.dimensions), json.dumps(table_json(table))]
    for path in files.truth_files:
        entries = sorted(path.iterdir()) if path.is_dir() else [path]
        parts += [f"{entry.name} {entry.stat().st_size} {entry.stat().st_mtime_ns}" for entry in entries]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()

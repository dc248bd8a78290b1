"""Real CT with labels as training slices: on the network's grid, made exactly as for inference, and kept as arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ..anatomy.built_in import HIP_AND_THIGH
from ..bundle.manifest import NetworkSpec, Preprocessing
from ..ct import CTVolume, WorkingGrid, body_box, resample_labels, to_working_grid
from ..errors import InputError
from ..evaluation.cases import CaseFiles, LabelledCase, read_labelled_case
from ..inference.slices import SliceReader, normalise, plan_slices
from ..virtual.patient import class_table
from .augmentation import Augmentation, augment, cut_slice
from .sources import HIP_CLASSES, HIP_SHARE, UNLABELLED, Batch

# The HU that int16 slices keep: all that CT scanners give.
_KEPT_HU = (-1024.0, 3071.0)
# How UNLABELLED is written while labels are uint8; no structure has this number.
_NOT_DRAWN = 255


def prepare_case(files: CaseFiles, cache: Path, network: NetworkSpec, preprocessing: Preprocessing) -> Path:
    """Bring a case to the network's grid and keep it; returns the array's path.

    ``<case>.npy`` is int16 ``[levels, channels + 1, h, w]``: HU of the neighbouring slices, then the class (`UNLABELLED` where
    nobody drew). ``<case>.json`` holds which structures were drawn, and what the array was made of: it is made anew when
    that changes.

    Raises:
        InputError: the case cannot be read, or shows no body or no labelled slice.
    """
    path, facts = cache / f"{files.name}.npy", cache / f"{files.name}.json"
    made_of = _fingerprint(files, network, preprocessing)
    if path.exists() and facts.exists() and json.loads(facts.read_text(encoding="utf-8"))["made_of"] == made_of:
        return path
    case = read_labelled_case(files, HIP_AND_THIGH)
    cache.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    partial = cache / f"{files.name}.partial.npy"
    _write_slices(partial, case, network, preprocessing)
    content = {"made_of": made_of, "known": [bool(drawn) for drawn in case.structures]}
    facts.write_text(json.dumps(content), encoding="utf-8")
    partial.rename(path)
    return path


class PairSlices:
    """Random training slices of cases that `prepare_case` made."""

    def __init__(
        self,
        files: Sequence[Path],
        preprocessing: Preprocessing,
        crop: tuple[int, int],
        seed: int,
        augmentation: Augmentation,
    ) -> None:
        self._preprocessing = preprocessing
        self._crop = crop
        self._rng = np.random.default_rng(seed)
        self._augmentation = augmentation
        self._cases = [_open(path) for path in files]

    def refresh(self) -> int:
        """The number of cases; none arrive later."""
        return len(self._cases)

    def batch(self, size: int) -> Batch:
        """`size` random slices: each case is as likely as any other."""
        chosen = [self._cases[self._rng.integers(len(self._cases))] for _ in range(size)]
        images, labels = zip(*(self._slice(*case[:3]) for case in chosen), strict=True)
        hu, classes = augment(np.stack(images), np.stack(labels), self._rng, self._augmentation)
        known = torch.from_numpy(np.stack([case[3] for case in chosen]))
        return Batch(normalise(hu, self._preprocessing), classes, known)

    def _slice(self, data: np.ndarray, drawn: np.ndarray, hip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        levels = hip if hip.size and self._rng.random() < HIP_SHARE else drawn
        planes = data[self._rng.choice(levels)]
        return cut_slice(planes[:-1], planes[-1], self._crop, self._rng, self._augmentation)


def _open(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A case's array, its levels with labels and those in the hip, and which structures are known."""
    data = np.load(path, mmap_mode="r")
    labelled_classes = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["known"]
    sampled = data[:, -1, ::2, ::2]
    drawn = np.flatnonzero((data[:, -1] != UNLABELLED).any(axis=(1, 2)))
    hip = np.flatnonzero(np.isin(sampled, HIP_CLASSES).any(axis=(1, 2)))
    return data, drawn, hip, np.array(labelled_classes)


def _write_slices(path: Path, case: LabelledCase, network: NetworkSpec, preprocessing: Preprocessing) -> None:
    working = to_working_grid(case.volume)
    classes = _classes(case, working)
    box = body_box(working.volume)
    if box is None:
        raise InputError(f"The CT of the case {case.name!r} shows no body; take the case out of the folder.")
    geometry = working.volume.geometry.cropped(box.start_xyz, box.size_xyz)
    body, classes = CTVolume(np.ascontiguousarray(working.volume.hu[box.slices]), geometry), classes[box.slices]
    plan = plan_slices(body, preprocessing, network)
    # The same reader as at inference, made to leave HU as they are: the window is applied after augmentation.
    reader = SliceReader(body, plan, replace(preprocessing, hu_window=_KEPT_HU, value_range=_KEPT_HU), network.in_channels)
    levels = [level for level in plan.levels if not reader.is_empty(level)]
    if not any((classes[round(level)] != UNLABELLED).any() for level in levels):
        raise InputError(f"The case {case.name!r} has no labelled slice with a body in it; correct its labelled.json.")
    shape = (len(levels), network.in_channels + 1, *plan.grid)
    stored = np.lib.format.open_memmap(path, "w+", np.int16, shape)
    for index, level in enumerate(levels):
        hu = reader.read(level)[0, :, : plan.grid[0], : plan.grid[1]]
        stored[index, :-1] = hu.round().to(torch.int16).numpy()
        # Whoever drew the label drew it on a slice of the CT: the nearest one, its nearest pixel.
        plane = torch.from_numpy(classes[round(level)].astype(np.float32))[None, None]
        stored[index, -1] = functional.interpolate(plane, plan.grid, mode="nearest-exact")[0, 0].numpy()
    stored.flush()


def _classes(case: LabelledCase, working: WorkingGrid) -> np.ndarray:
    """Classes int16 ``[z, y, x]`` on the working grid, `UNLABELLED` where nobody drew."""
    table = class_table().astype(np.uint8)
    table[table > 0] *= case.structures[table[table > 0]]
    classes = table[case.truth]
    classes[~case.slices] = _NOT_DRAWN
    if case.outside is not None:
        classes[case.outside] = _NOT_DRAWN
    if working.order is not None:
        moved = working.order.apply(classes)
    else:
        # Beyond the scan there is air in the CT and background in the labels.
        moved = resample_labels(classes, working.input_geometry, working.volume.geometry)
    moved = moved.astype(np.int16)
    moved[moved == _NOT_DRAWN] = UNLABELLED
    return moved


def _fingerprint(files: CaseFiles, network: NetworkSpec, preprocessing: Preprocessing) -> str:
    """Changes with the files, the grid and the neighbouring slices; HU windows are applied later."""
    spacing = preprocessing.in_plane_spacing_mm, preprocessing.slice_interval_mm
    parts = [str(spacing), str(network.in_channels), str(asdict(network)["levels"])]
    for path in (files.ct, files.labels, files.labelled):
        if path is not None:
            entries = sorted(path.iterdir()) if path.is_dir() else [path]
            parts += [f"{entry.name} {entry.stat().st_size} {entry.stat().st_mtime_ns}" for entry in entries]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()

"""True labels: a folder per case: ``ct.*`` or ``mr.*``, ``labels.*``, and ``labelled.json`` or ``known.*`` if not all is known.

``labelled.json`` may hold ``"slices"``: numbers along the label map's last axis, counted from 0, or pairs ``[first, last]`` with
both ends included; and ``"structures"``: abbreviations of structures. What it leaves out counts as labelled everywhere.
Where more is known of some structures or of one side, it holds ``"segments"`` alone: the key of each segment that was labelled
(such as ``"GMED_right"``) with such a list of slices, or with true for all of them. Nothing is known of other segments.
``known.*`` is a mask on the CT's voxels: nothing is known where it is 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..anatomy import LEFT_OFFSET, StructureTable
from ..ct import FORMATS, CTVolume, Geometry, place_labels, read_ct, read_labels, read_thin_ct, resample_labels
from ..ct.modality import CT_MODALITY, MR_MODALITY
from ..ct.reading.dicom.series import FEWEST_SLICES
from ..errors import InputError, shown
from ..virtual.cases import FACTS_FILE, LABELLED_FILE

FIRST_EXTRA_LABEL = 200
KNOWN = "known"
# A case with this file holds labels that a network gave itself (see `sparse.pseudo_cases`).
PSEUDO_FILE = "pseudo.json"


@dataclass(frozen=True)
class CaseFiles:
    """Where a case lies; `ct`, a scan of `modality`, is a file or a DICOM folder.

    `labelled` and `known` are None where everything is labelled.
    """

    name: str
    ct: Path
    labels: Path
    labelled: Path | None = None
    facts: Path | None = None
    known: Path | None = None
    modality: str = CT_MODALITY

    @property
    def truth_files(self) -> tuple[Path, ...]:
        """The CT and the files that say what is true of it."""
        return tuple(path for path in (self.ct, self.labels, self.labelled, self.known) if path is not None)


@dataclass(frozen=True)
class LabelledCase:
    """A CT with its truth on the CT's own grid.

    `truth` is uint8 ``[z, y, x]`` with sides, `slices` bool ``[z]``: True where the slice was labelled, `structures` bool
    ``[classes]``: False where a class was labelled nowhere (background, 0, is always True). `table` says what the labels stand for.
    `outside` is bool ``[z, y, x]``, True where nothing is known because the label map ends there or a mask says so; None: nowhere.
    `known` is bool ``[z, 256]``: in which slices each label with its side was labelled; None where slices and structures say all.
    `facts` is the content of the case's ``facts.json``: how a virtual patient was made.
    """

    name: str
    volume: CTVolume
    truth: np.ndarray
    slices: np.ndarray
    structures: np.ndarray
    table: StructureTable
    outside: np.ndarray | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    known: np.ndarray | None = None


def find_labelled_cases(data: Path) -> list[CaseFiles]:
    """The cases in a folder, sorted by name; hidden folders and those without labels are passed over.

    Raises:
        InputError: there is no such folder, or no case in it.
    """
    if not data.is_dir():
        raise InputError(f"There is no folder {shown(data)!r}; name a folder of cases with ct.* and labels.* in each.")
    cases = [_files_of(folder) for folder in sorted(data.iterdir()) if folder.is_dir() and not folder.name.startswith(".")]
    found = [case for case in cases if case is not None]
    if not found:
        raise InputError(
            f"The folder {shown(data)!r} holds no case; each needs a folder with ct.nii.gz and labels.nii.gz (or .nrrd, .mha)."
        )
    return found


def find_true_cases(data: Path) -> list[CaseFiles]:
    """`find_labelled_cases` for those who judge: a network must not be held against its own labels.

    Raises:
        InputError: there is no case, or one with pseudo-labels.
    """
    cases = find_labelled_cases(data)
    for case in cases:
        if (case.labels.parent / PSEUDO_FILE).is_file():
            raise InputError(f"The case {case.name!r} holds pseudo-labels, which are no truth; take it out of the folder.")
    return cases


def patient_of(case: str) -> str:
    """The patient whom a case shows: scans of one patient are called ``<patient>@<scan>``."""
    return case.partition("@")[0]


def read_labelled_case(files: CaseFiles, table: StructureTable) -> LabelledCase:
    """Read a case with labels of `table`.

    A label map that covers a part of the CT's voxels, as 3D Slicer saves it, is background elsewhere.

    Raises:
        InputError: CT, labels or ``labelled.json`` cannot be used, or do not fit each other.
    """
    volume = read_ct(files.ct, modality=files.modality)
    truth = on_grid(*read_labels(files.labels, table), volume.geometry, f"labels of the case {files.name!r}")
    slices, structures, known = read_labelled(files.labelled, truth.shape[0], table)
    outside = _unknown(files, volume.geometry, table)
    return LabelledCase(files.name, volume, truth, slices, structures, table, outside, _read_facts(files.facts), known)


def read_pair(ct: Path, labels: Path, table: StructureTable) -> LabelledCase:
    """Read one CT and a label map on any grid, which is brought to the CT's voxels by position (nearest neighbour).

    Values from 200 on, tissue of an atlas that is not segmented, become background; voxels beyond the label map are unknown.
    A stack of fewer slices than `read_ct` accepts is continued by repeating its outermost ones, which do not count.

    Raises:
        InputError: a file cannot be read, the label map holds unknown values, or it lies elsewhere than the CT.
    """
    volume, real = _read_thin_ct(ct)
    stored, geometry = read_labels(labels, table, FIRST_EXTRA_LABEL)
    truth = resample_labels(stored, geometry, volume.geometry)
    covered = resample_labels(np.ones_like(stored), geometry, volume.geometry) > 0
    if not covered.any():
        raise InputError(f"The label map {labels.name} lies elsewhere than the CT {ct.name}; give labels of the same body.")
    name = ct.name.split(".")[0] if ct.is_file() else ct.resolve().name
    slices = real & covered.any(axis=(1, 2))
    return LabelledCase(name, volume, truth, slices, np.ones(table.classes, bool), table, None if covered.all() else ~covered)


def only_slices_with_labels(case: LabelledCase) -> LabelledCase:
    """The case with slices in which the truth holds no structure counted as not labelled."""
    return replace(case, slices=case.slices & case.truth.any(axis=(1, 2)))


def on_grid(labels: np.ndarray, source: Geometry, target: Geometry, what: str) -> np.ndarray:
    """A label map ``[z, y, x]`` whose voxels are voxels of `target`, on the whole of `target`; `what` names it in the sentence.

    Raises:
        InputError: it lies on another grid, both of which are stated.
    """
    return place_labels(labels, source, target, what).labels


def read_labelled(path: Path | None, depth: int, table: StructureTable) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """What was labelled: slices bool ``[depth]``, classes bool ``[classes]`` of a table, and `LabelledCase.known`.

    All of it where `path` is None.

    Raises:
        InputError: the file is no such description, or names slices or structures that do not exist.
    """
    slices, structures = np.ones(depth, bool), np.ones(table.classes, bool)
    if path is None:
        return slices, structures, None
    where = f"{path.parent.name}/{path.name}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The file {where} cannot be read as JSON; correct or delete it.") from error
    allowed = ({"slices", "structures"}, {"segments"})
    if not isinstance(content, dict) or not content or not any(set(content) <= keys for keys in allowed):
        raise InputError(
            f"The file {where} must hold an object with 'slices', 'structures' or both, or with 'segments' alone, and nothing else."
        )
    if "segments" in content:
        known = _known_segments(content["segments"], depth, table, where)
        structures[1:] = False
        for segment in table.segments:
            structures[segment.structure.index] |= known[:, segment.label].any()
        return np.asarray(known[:, 1:].any(axis=1)), structures, known
    if "slices" in content:
        slices[:] = False
        for first, last in _ranges(content["slices"], depth, where):
            slices[first : last + 1] = True
    if "structures" in content:
        structures[1:] = False
        structures[_indices(content["structures"], table, where)] = True
    return slices, structures, None


def label_known(structures: np.ndarray, table: StructureTable) -> np.ndarray:
    """Label value of a map with sides -> whether its structure was labelled; bool ``[256]``, background False."""
    is_labelled = np.zeros(256, bool)
    for structure in table.structures:
        is_labelled[structure.index] = structures[structure.index]
        is_labelled[structure.index + LEFT_OFFSET] = structures[structure.index] and structure.paired
    return is_labelled


def first_file(folder: Path, stem: str, suffixes: Iterable[str] = FORMATS) -> Path | None:
    """The file ``<stem><suffix>`` in a folder, whichever of the suffixes comes first; None where there is none."""
    return next((folder / f"{stem}{suffix}" for suffix in suffixes if (folder / f"{stem}{suffix}").is_file()), None)


def _files_of(folder: Path) -> CaseFiles | None:
    ct, modality = _scan_of(folder, "ct"), CT_MODALITY
    if ct is None:
        ct, modality = _scan_of(folder, "mr"), MR_MODALITY
    labels = first_file(folder, "labels", (*FORMATS, ".seg.nrrd"))
    if ct is None or labels is None:
        return None
    labelled, facts = (folder / name if (folder / name).is_file() else None for name in (LABELLED_FILE, FACTS_FILE))
    return CaseFiles(folder.name, ct, labels, labelled, facts, first_file(folder, KNOWN), modality)


def _scan_of(folder: Path, stem: str) -> Path | None:
    return first_file(folder, stem) or (folder / stem if (folder / stem).is_dir() else None)


def _unknown(files: CaseFiles, geometry: Geometry, table: StructureTable) -> np.ndarray | None:
    """Where the mask ``known.*`` says that nothing is known; it is read as a label map whose only value is the first label."""
    if files.known is None:
        return None
    return on_grid(*read_labels(files.known, table), geometry, f"mask {KNOWN} of the case {files.name!r}") == 0


def _read_facts(path: Path | None) -> dict[str, Any]:
    """What is noted of a case; nothing where that cannot be read, since no number depends on it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _ranges(entries: Any, depth: int, where: str) -> list[tuple[int, int]]:
    ranges = []
    for entry in entries if isinstance(entries, list) else [None]:
        pair: list[Any] = entry if isinstance(entry, list) else [entry, entry]
        if len(pair) != 2 or not all(type(end) is int for end in pair) or not 0 <= pair[0] <= pair[1] < depth:
            raise InputError(
                f"The slices in {where} must be a list of numbers or [first, last] pairs from 0 to {depth - 1}; correct {entry!r}."
            )
        ranges.append((pair[0], pair[1]))
    return ranges


def _known_segments(entries: Any, depth: int, table: StructureTable, where: str) -> np.ndarray:
    """`LabelledCase.known` of the entry "segments"; background counts as labelled."""
    labels = {segment.key: segment.label for segment in table.segments}
    known = np.zeros((depth, 256), bool)
    known[:, 0] = True
    if not isinstance(entries, dict) or not set(entries) <= set(labels):
        unknown = sorted(set(entries) - set(labels)) if isinstance(entries, dict) else [entries]
        raise InputError(
            f"The segments in {where} must be an object of keys such as 'GMED_right' with slices or true; correct {unknown[0]!r}."
        )
    for key, slices in entries.items():
        for first, last in [(0, depth - 1)] if slices is True else _ranges(slices, depth, where):
            known[first : last + 1, labels[key]] = True
    return known


def _indices(names: Any, table: StructureTable, where: str) -> list[int]:
    known = {structure.abbreviation: structure.index for structure in table.structures}
    if not isinstance(names, list):
        raise InputError(f'The structures in {where} must be a list of abbreviations such as "GMED"; correct it.')
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise InputError(f"{where} names the structure {name!r}, which does not exist; use the table's abbreviations.")
    return [known[name] for name in names]


def _read_thin_ct(path: Path) -> tuple[CTVolume, np.ndarray]:
    """Like `read_ct`, and which slices are the file's own, bool ``[z]``; the others repeat its first and last."""
    thin = read_thin_ct(path)
    if thin is None:
        volume = read_ct(path)
        return volume, np.ones(volume.geometry.size[2], bool)
    hu, geometry = thin.hu, thin.geometry
    x, y, z = geometry.size
    padded = geometry.cropped((0, 0, -FEWEST_SLICES), (x, y, z + 2 * FEWEST_SLICES))
    repeated = np.pad(hu, ((FEWEST_SLICES, FEWEST_SLICES), (0, 0), (0, 0)), mode="edge")
    own = np.zeros(z + 2 * FEWEST_SLICES, bool)
    own[FEWEST_SLICES : FEWEST_SLICES + z] = True
    return CTVolume(repeated, padded), own

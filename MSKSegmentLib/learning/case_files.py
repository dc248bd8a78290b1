"""Reviewed results as labelled cases in folders, which training and evaluation read like any other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..errors import InputError
from ..output.filling import whole_folder
from ..results.result_reading import read_case
from ..review.source_ct import read_own_ct
from .corrections import ReviewedResult
from .gathering import Gathered

_CT, _LABELS, _LABELLED = "ct.nrrd", "labels.nrrd", "labelled.json"


def case_names(gathered: Gathered) -> dict[Path, str]:
    """Result folder -> ``<patient>@<number>``: scans of one patient are known by what stands before the @."""
    count: dict[str, int] = {}
    names = {}
    for one in gathered.results:
        patient = gathered.patients[one.folder]
        count[patient] = count.get(patient, 0) + 1
        names[one.folder] = f"{patient}@{count[patient]}"
    return names


def write_cases(
    folder: Path, results: Sequence[ReviewedResult], names: Mapping[Path, str], checkpoint: Callable[[], None] = lambda: None
) -> None:
    """Write ``<folder>/<name>`` with CT, labels and ``labelled.json`` for each result; cases that are there are kept.

    Raises:
        InputError: a CT is not that of its result any more, or nothing can be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for one in results:
        target = folder / names[one.folder]
        if (target / _LABELLED).is_file():
            continue
        checkpoint()
        _write_case(target, one)


def _write_case(target: Path, one: ReviewedResult) -> None:
    import SimpleITK as sitk

    volume, result = read_own_ct(one.folder, None, None, None), read_case(one.folder).result
    if not volume.geometry.matches(result.geometry):
        raise InputError(f"The CT of the result {one.folder.name!r} has another grid than its labels; leave the result out.")
    known = {key: True if one_.slices is None else list(one_.slices) for key, one_ in one.corrections.items()}
    with whole_folder(target, "case", _LABELLED, (_CT, _LABELS, _LABELLED)) as partial:
        for name, array in ((_CT, volume.hu), (_LABELS, result.labels)):
            sitk.WriteImage(volume.geometry.image_of(array), str(partial / name), useCompression=True, compressionLevel=1)
        (partial / _LABELLED).write_text(json.dumps({"segments": known}), encoding="utf-8")

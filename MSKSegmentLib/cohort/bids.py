"""The results of a study as a derivative dataset of the Brain Imaging Data Structure (BIDS), for programs that read that layout.

Labels are discrete segmentations (``_dseg.nii.gz``) on the grid of the CT with one table of their values, as BIDS lays down for
derivatives; measurements are a table of values per structure. CT itself is a proposal (BEP 024): its folder is listed in
``.bidsignore``, so that validators pass over it.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..anatomy import StructureTable
from ..case_result import CaseResult, ReviewState
from ..errors import InputError, shown
from ..output.filling import whole_folder
from ..output.places import check_no_file, resolved
from ..results.result_reading import read_case
from ..results.tables import CSV_COLUMNS, cell_text, table_row
from .bids_columns import described_columns
from .found_cases import FoundCase, found_case_from_json
from .records import CaseState, read_record
from .study import StudyFolder, read_json

BIDS_VERSION = "1.10.0"
DESCRIPTION = "dataset_description.json"
_NOTICE = "Research use only, not a medical device: never base a clinical decision on it alone."
_MISSING = "n/a"
TellWritten = Callable[[int, int], None]


@dataclass(frozen=True)
class _Place:
    """A case in the dataset: its labels for subject and, where a patient has several cases, session."""

    case: FoundCase
    subject: str
    session: str = ""

    @property
    def folder(self) -> Path:
        """Relative to the dataset."""
        return Path(f"sub-{self.subject}", *([f"ses-{self.session}"] if self.session else []), "ct")

    def name(self, ending: str) -> str:
        """The name of a file."""
        return f"sub-{self.subject}_{f'ses-{self.session}_' if self.session else ''}{ending}"


def write_bids(study: StudyFolder, folder: Path, tell: TellWritten = lambda done, total: None) -> int:
    """Write every result of a study into a new folder, which appears whole, and return their number.

    Cases with one name in the column ``patient`` are sessions of one subject, in order of ``date``. Labels of subjects and sessions
    are letters and digits of these names: BIDS allows no others.

    Args:
        study: the study.
        folder: new, or empty.
        tell: called with the results written and their number.

    Raises:
        InputError: the study has no result, results have different structures, or the folder cannot be written.
    """
    real = resolved(folder)
    check_no_file(real)
    if real.is_dir() and any(real.iterdir()):
        raise InputError(f"The folder {shown(real)!r} is not empty; name a new folder for the BIDS dataset.")
    places = _places(_done(study))
    if not places:
        raise InputError(f"The study {shown(study.root)!r} has no result yet; run it first.")
    table: StructureTable | None = None
    with whole_folder(real, "BIDS dataset", DESCRIPTION) as staging:
        for number, place in enumerate(places):
            result = read_case(study.result(place.case.case)).result
            if table is not None and result.table != table:
                raise InputError(
                    f"The result of {place.case.case!r} has other structures than those before it; a BIDS dataset has one table "
                    "of labels. Run the study with one bundle."
                )
            table = result.table
            _write_case(staging, place, result)
            tell(number + 1, len(places))
        assert table is not None, "there is a case"
        _write_dataset(staging, places, table)
    return len(places)


def _done(study: StudyFolder) -> list[FoundCase]:
    found = [found_case_from_json(case) for case in read_json(study.found).get("cases", [])]
    records = {case.case: read_record(study, case.case) for case in found}
    return [case for case in found if (record := records[case.case]) is not None and record.state is CaseState.DONE]


def _places(cases: Sequence[FoundCase]) -> list[_Place]:
    patients: dict[str, list[FoundCase]] = {}
    for case in cases:
        patients.setdefault(case.facts.get("patient") or case.case, []).append(case)
    subjects = _labels(patients)
    found = []
    for patient, own in patients.items():
        ordered = sorted(own, key=lambda case: (case.facts.get("date", ""), case.case))
        dates = [case.facts.get("date") or case.case for case in ordered]
        sessions = _labels(dates if len(set(dates)) == len(dates) else [case.case for case in ordered])
        for case, session in zip(ordered, sessions.values(), strict=True):
            found.append(_Place(case, subjects[patient], session if len(ordered) > 1 else ""))
    return found


def _labels(names: Iterable[str]) -> dict[str, str]:
    """Name -> letters and digits of it, different for different names."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = label = re.sub(r"[^0-9A-Za-z]", "", name) or "x"
        number = 1
        while label in taken:
            number += 1
            label = f"{plain}x{number}"
        taken.add(label)
        found[name] = label
    return found


def _write_case(root: Path, place: _Place, result: CaseResult) -> None:
    import SimpleITK as sitk

    folder = root / place.folder
    folder.mkdir(parents=True)
    sitk.WriteImage(result.geometry.image_of(result.labels), str(folder / place.name("dseg.nii.gz")))
    manual = any(report.state is ReviewState.EDITED for report in result.reports)
    _write_json(folder / place.name("dseg.json"), {"Manual": manual, "SpatialReference": "orig"})
    if result.uncertainty is not None:
        image = result.geometry.image_of(result.uncertainty)
        sitk.WriteImage(image, str(folder / place.name("desc-uncertainty_ct.nii.gz")))
        what = "variance of the class probabilities between dropout passes, mean over the classes"
        _write_json(folder / place.name("desc-uncertainty_ct.json"), {"Description": what, "SpatialReference": "orig"})
    rows = (table_row(report) for report in result.reports)
    texts = [{name: cell_text(name, value) for name, value in row.items()} for row in rows]
    _write_tsv(folder / place.name("desc-muscles_morph.tsv"), CSV_COLUMNS, texts)


def _write_dataset(root: Path, places: Sequence[_Place], table: StructureTable) -> None:
    _write_json(root / "desc-muscles_morph.json", described_columns())
    values = [
        {
            "index": segment.label,
            "name": segment.name,
            "abbreviation": segment.key,
            "color": "#{:02x}{:02x}{:02x}".format(*segment.color),
        }
        for segment in table.segments
    ]
    _write_tsv(root / "dseg.tsv", ("index", "name", "abbreviation", "color"), values)
    subjects: dict[str, list[_Place]] = {}
    for place in places:
        subjects.setdefault(place.subject, []).append(place)
    known = ("group", "side_affected")
    people = [
        {"participant_id": f"sub-{subject}", **{name: own[-1].case.facts.get(name) for name in known}}
        for subject, own in subjects.items()
    ]
    _write_tsv(root / "participants.tsv", ("participant_id", *known), people)
    for own in subjects.values():
        _write_sessions(root, own)
    (root / ".bidsignore").write_text("**/ct/\ndesc-muscles_morph.json\n", encoding="utf-8")
    text = f"# Hip and thigh muscles from CT\n\nMade with MSKSegment {__version__}. {_NOTICE}\n\n"
    text += (
        "Each `ct` folder holds labels, uncertainty and measurements of a scan. Look at the column `light` before using a number.\n"
    )
    (root / "README.md").write_text(text, encoding="utf-8")
    _write_json(
        root / DESCRIPTION,
        {
            "Name": "Hip and thigh muscles from CT",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "MSKSegment", "Version": __version__, "Description": _NOTICE}],
        },
    )


def _write_sessions(root: Path, places: Sequence[_Place]) -> None:
    if len(places) > 1:
        subject = places[0].subject
        rows = [{"session_id": f"ses-{place.session}", "acq_time": place.case.facts.get("date")} for place in places]
        _write_tsv(root / f"sub-{subject}" / f"sub-{subject}_sessions.tsv", ("session_id", "acq_time"), rows)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _write_tsv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _MISSING if row.get(name) in (None, "") else row[name] for name in columns})

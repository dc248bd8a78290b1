"""What all DICOM objects of one result share: identifiers, dates, series, equipment, patient and study.

Everything follows from the result: the same result exported again by the same version gives the same files, byte by byte, so that
an archive keeps one copy of them. A correction or another version of the software gives new identifiers.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .. import __version__
from ..anatomy import Code
from ..case_result import CaseResult, HistoryEvent, ReviewState, SegmentReport
from ..foreign.label_tables import NAMES, shipped_tables
from ..results.result_folder import result_json
from .codes import ORGANIZATION, OWN_SCHEME, OWN_SCHEME_NAME

MODEL = "MSKSegment"
# An arbitrary one of the project's own: identifiers made from it meet no others.
_NAMESPACE = uuid.UUID("0b6f7a6e-8d1f-5d0c-9a5b-6f5f3f3d2c11")
_UTF8 = "ISO_IR 192"
# Numbers of series beyond this are no longer told from each other by viewers that keep four digits.
_MOST_NUMBER = 99
_LONGEST_NAME = 64


@dataclass(frozen=True)
class Identity:
    """The names of one result's objects. `digest` is of all that the objects are made from, `when` its last change (UTC)."""

    digest: str
    when: datetime
    series_number: int

    def uid(self, *names: str) -> str:
        """A UID for the object of that name: the same whenever it is asked for the same result."""
        return f"2.25.{uuid.uuid5(_NAMESPACE, ' '.join((self.digest, *names))).int}"

    def series(self, name: str, number: int, description: str) -> dict[str, Any]:
        """Arguments that all of highdicom's objects take: a series of its own for each object."""
        return {
            "series_instance_uid": self.uid(name, "series"),
            "series_number": self.series_number + number,
            "sop_instance_uid": self.uid(name),
            "instance_number": 1,
            "manufacturer": ORGANIZATION,
            "manufacturer_model_name": MODEL,
            "software_versions": __version__,
            "device_serial_number": __version__,
            "series_description": f"{MODEL} {description}, research use only",
        }


def identity_of(result: CaseResult, history: Iterable[HistoryEvent], source_number: Any) -> Identity:
    """The identity of a result as it stands; `source_number` is that of the scanned series, if it has one."""
    history = tuple(history)
    digest = hashlib.sha256(result.labels.tobytes())
    if result.uncertainty is not None:
        digest.update(result.uncertainty.tobytes())
    content = result_json(result, None, history)
    digest.update(json.dumps([__version__, content], sort_keys=True, default=str).encode())
    number = int(source_number) if str(source_number or "").strip().isdigit() else 0
    first = 100 * number if 0 < number <= _MOST_NUMBER else 9900
    return Identity(digest.hexdigest(), _last_change(result, history), first)


def _last_change(result: CaseResult, history: tuple[HistoryEvent, ...]) -> datetime:
    texts = [event.when for event in history[-1:]] + ([result.facts.date] if result.facts.date else [])
    for text in texts:
        try:
            when = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            continue
        return when.astimezone(timezone.utc)
    return datetime(1970, 1, 1, tzinfo=timezone.utc)


def concept(code: Code) -> Any:
    """A code as highdicom takes it."""
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme, code.meaning)


def algorithm_version(result: CaseResult) -> str:
    """The version of what drew the labels, where it is known, and that of the software that measured them."""
    record = result.facts.record
    software, bundle, program = record.get("software") or {}, record.get("bundle"), record.get("other_model")
    ours = str(software.get("version", __version__))
    if program:
        model = f", model {program['model_version']}" if program.get("model_version") else ""
        ours = f"{program.get('version') or 'not stated'}{model}; measured by {MODEL} {ours}"
    elif _imported_from(result) is not None:
        ours = f"not stated; measured by {MODEL} {ours}"
    model = f"; model {bundle.get('name')} {bundle.get('version')}" if bundle else ""
    return f"{ours}{model}"[:_LONGEST_NAME]


def _imported_from(result: CaseResult) -> str | None:
    """The program whose labels an imported segmentation has; None where they are not those of one program."""
    imported = result.facts.record.get("imported") or {}
    if imported.get("labels") not in {table.name for table in shipped_tables()} - {NAMES}:
        return None
    return str((imported.get("table") or {}).get("title") or imported["labels"])


def other_program(result: CaseResult) -> str | None:
    """The name of the other program that drew the labels; None for our network, and for label maps of which nobody knows it."""
    program = (result.facts.record.get("other_model") or {}).get("title")
    return str(program) if program else _imported_from(result)


def is_given(result: CaseResult) -> bool:
    """Whether no network of this software drew the labels, but somebody gave them to be measured."""
    return not result.facts.record.get("bundle")


def algorithm_name(result: CaseResult) -> str:
    """What drew the labels."""
    if is_given(result):
        return (other_program(result) or f"Given label map, measured by {MODEL}")[:_LONGEST_NAME]
    return f"{MODEL} Bayesian U-Net"


def algorithm_family(result: CaseResult) -> Any:
    """The kind of algorithm, of DICOM's context group 7162."""
    from pydicom.sr.codedict import codes

    by_hand = is_given(result) and other_program(result) is None
    return codes.cid7162.ManualProcessing if by_hand else codes.cid7162.ArtificialIntelligence


def drawn_by(result: CaseResult, report: SegmentReport) -> str:
    """DICOM's segment algorithm type: of label maps that were given nobody knows whether a person corrected them."""
    was_run = not is_given(result) or "other_model" in result.facts.record
    return "AUTOMATIC" if was_run and report.state is not ReviewState.EDITED else "SEMIAUTOMATIC"


def finish(data: Any, identity: Identity, source: Any) -> Any:
    """Complete an object of highdicom's in place: patient and study as scanned, own code scheme, UTF-8, dates of the result.

    `source` is the header of a scanned image. Identifiers that highdicom draws at random are replaced by lasting ones.
    """
    from pydicom.dataset import Dataset

    data.copy_patient_and_study_information(source)
    scheme = Dataset()
    scheme.CodingSchemeDesignator, scheme.CodingSchemeName = OWN_SCHEME, OWN_SCHEME_NAME
    scheme.CodingSchemeResponsibleOrganization = ORGANIZATION
    data.CodingSchemeIdentificationSequence = [scheme]
    day, time = identity.when.strftime("%Y%m%d"), identity.when.strftime("%H%M%S")
    for keyword in ("InstanceCreation", "Content", "Series"):
        if keyword == "Series" or f"{keyword}Date" in data:
            setattr(data, f"{keyword}Date", day)
            setattr(data, f"{keyword}Time", time)
    for item in data.get("ContributingEquipmentSequence", ()):
        item.ContributionDateTime = day + time
    data.TimezoneOffsetFromUTC = "+0000"
    _lasting_uids(data, identity)
    _in_utf8(data)
    return data


def _lasting_uids(data: Any, identity: Identity) -> None:
    for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in data.get(keyword, ()):
            item.DimensionOrganizationUID = identity.uid("dimensions", str(data.SOPInstanceUID))


def _in_utf8(data: Any) -> None:
    """Names of patients keep their signs whatever character set they came in."""
    data.SpecificCharacterSet = _UTF8
    for element in data.iterall():
        if element.VR == "PN" and element.value is not None and element.VM <= 1:
            element.value = str(element.value)

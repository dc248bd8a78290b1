"""What the DICOM headers of a scan say of the patient, the date and the scanner, for the comparison of scans."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from ..ct.reading.dicom.headers import scan_headers
from ..ct.reading.dicom.series import choose_series
from ..ct.reading.dicom.values import number_of, text_of
from ..errors import shown

_CONTRAST = ("ContrastBolusAgent", "ContrastBolusRoute", "ContrastBolusVolume")
_TAGS = ("PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "AcquisitionDate", "Modality", "KVP", *_CONTRAST)


@dataclass(frozen=True)
class Protocol:
    """Header entries; None or "" where they are not stated. `contrast` tells whether the headers speak of a contrast medium.

    `patient` are identifier and date of birth, held against another scan's and never printed.
    """

    patient: tuple[str, str] = ("", "")
    sex: str = ""
    when: date | None = None
    kernel: str = ""
    kvp: float | None = None
    thickness_mm: float | None = None
    contrast: bool | None = None


def read_protocol(ct: Path, series: str | None = None) -> Protocol | None:
    """The protocol of a DICOM folder; None for files of other formats, which do not state one.

    Raises:
        InputError: the folder holds no CT series that can be used, or several.
    """
    if not ct.is_dir():
        return None
    import pydicom

    first = choose_series(scan_headers(ct), shown(ct.resolve()), series).slices[0]
    data = pydicom.dcmread(first.path, stop_before_pixels=True, specific_tags=list(_TAGS), force=True)
    return Protocol(
        patient=(text_of(data, "PatientID"), text_of(data, "PatientBirthDate")),
        sex=text_of(data, "PatientSex").upper(),
        when=_date(text_of(data, "AcquisitionDate")) or _date(text_of(data, "StudyDate")),
        kernel=first.kernel,
        kvp=number_of(data, "KVP"),
        thickness_mm=first.thickness,
        contrast=any(text_of(data, name) for name in _CONTRAST),
    )


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None

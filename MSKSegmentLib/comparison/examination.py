"""One of the results that are compared: read from its folder, with what is known of its scan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from ..case_result import CaseResult
from ..errors import InputError, shown
from ..results.result_reading import read_result
from .protocol import Protocol, read_protocol


@dataclass(frozen=True)
class Examination:
    """A result as it stands, corrections included; `name` is its folder's, `when` the date of the scan, None if not known."""

    name: str
    result: CaseResult
    when: date | None = None
    protocol: Protocol = Protocol()

    @property
    def title(self) -> str:
        """The name with the date, where that is known."""
        return f"{self.name} ({self.when.isoformat()})" if self.when else self.name


def read_examination(folder: Path, ct: Path | None = None, when: date | None = None) -> Examination:
    """The result in `folder`; `ct` is its scan, whose DICOM headers tell date and protocol (else: the path that the run recorded).

    A `when` that is given counts more than the header's.

    Raises:
        InputError: there is no result, it is damaged or was changed by another program, or the scan cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"There is no result folder {shown(folder)!r}; check the path.")
    result, _ = read_result(folder)
    counts = np.bincount(result.labels.ravel(), minlength=256)
    for report in result.reports:
        if counts[report.segment.label] != (report.measurements.voxels if report.measurements else 0):
            raise InputError(
                f"The segmentation in {shown(folder.resolve())!r} was changed by another program since it was measured; open it "
                "with mskseg review, so that it is measured again."
            )
    return examination_of(folder.resolve().name, result, ct, when=when)


def examination_of(
    name: str, result: CaseResult, ct: Path | None = None, series: str | None = None, when: date | None = None
) -> Examination:
    """An examination of a result that is at hand; `ct` and `when` as for `read_examination`, `series` the one that is meant there.

    Raises:
        InputError: there is no such scan, or its series cannot be used.
    """
    protocol = _protocol(result, ct, series)
    return Examination(name, result, when or protocol.when, protocol)


def _protocol(result: CaseResult, ct: Path | None, series: str | None) -> Protocol:
    if ct is not None:
        if not ct.exists():
            raise InputError(f"There is no file or folder {shown(ct)}; check the path after --ct.")
        return read_protocol(ct, series) or Protocol()
    recorded = Path(result.facts.source) if result.facts.source else None
    if recorded is None or not recorded.is_dir():
        return Protocol()
    try:
        return read_protocol(recorded) or Protocol()
    except InputError:
        # What lies at a recorded path today is nothing that the user asked for.
        return Protocol()

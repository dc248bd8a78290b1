"""A catalogue of broken inputs for reading.

Every entry writes one input into an empty folder and returns the path to give to the program. All of them must be
refused with one sentence; `cli_args` are further arguments of the command line.
"""

from __future__ import annotations

from broken_dicom import BROKEN_DICOM
from broken_files import BROKEN_FILES
from broken_input import BrokenInput

BROKEN: list[BrokenInput] = [*BROKEN_FILES, *BROKEN_DICOM]

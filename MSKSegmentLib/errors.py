"""Errors a user can act on. The message of each is one sentence that says what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path


def shown(path: Path) -> str:
    """What a sentence calls a file or folder: its name, without the folders above it, which may be named after patients.

    The root of a drive and the current folder have no name and are called as they are written.
    """
    return path.name or str(path)


class MSKSegmentError(Exception):
    """Base of all errors that carry a sentence for the user; the command line exits with `exit_code`."""

    exit_code = 1


class InputError(MSKSegmentError):
    """The data or an option given by the user cannot be used."""

    exit_code = 2


class BundleError(MSKSegmentError):
    """A model bundle is missing, damaged or does not fit; choose or repair the bundle."""

    exit_code = 2


class DeviceError(MSKSegmentError):
    """The chosen computing device is missing or failed; choose another one."""

    exit_code = 2


class DependencyError(MSKSegmentError):
    """A Python package that a run needs is missing; install it."""

    exit_code = 2


class InstallationError(MSKSegmentError):
    """A file that belongs to the software is missing; install the software again."""

    exit_code = 2


class OtherModelError(MSKSegmentError):
    """Another program that was to segment failed; `said` is the end of what it printed, for a report to its developers."""

    def __init__(self, sentence: str, said: str = "") -> None:
        super().__init__(sentence)
        self.said = said


class Cancelled(MSKSegmentError):
    """The user cancelled the run; nothing was written."""

    exit_code = 3

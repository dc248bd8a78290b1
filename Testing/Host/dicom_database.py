"""``slicer.dicomDatabase`` over files that a test names."""

from __future__ import annotations

import os
from typing import Any


class ctkDICOMDatabase:
    """Answers for single instances; `addFile` stands for the import that the user did before."""

    hostOnly = ("addFile",)

    def __init__(self) -> None:
        self.isOpen = True
        self._files: dict[str, str] = {}

    def addFile(self, path: str | os.PathLike[str]) -> str:
        """Know a DICOM file; return its SOP instance UID."""
        uid = str(self._dataset(os.fspath(path)).SOPInstanceUID)
        self._files[uid] = os.fspath(path)
        return uid

    def fileForInstance(self, uid: str) -> str:
        return self._files.get(uid, "")

    def fileValue(self, path: str, tag: str) -> str:
        """The value of a tag such as ``0010,1020``; empty where the file has none."""
        element = self._dataset(path).get(tuple(int(part, 16) for part in tag.split(",")))
        return "" if element is None or element.value is None else str(element.value)

    def instanceValue(self, uid: str, tag: str) -> str:
        return self.fileValue(self._files[uid], tag) if uid in self._files else ""

    @staticmethod
    def _dataset(path: str) -> Any:
        import pydicom

        return pydicom.dcmread(path, stop_before_pixels=True)

"""A task as a value: what is segmented, in which kind of scan, and how it is checked, measured and told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..anatomy import StructureTable
from ..ct.modality import CT_MODALITY
from .vocabulary import KNOWN_MEASUREMENTS, MEASURED_COLUMNS


@dataclass(frozen=True)
class TaskWords:
    """What people read of a task.

    `scan` is what a scan is called ("CT", "MR scan"), `region` what it should show ("the hip or the thigh"), `report` the line
    above the title of a report; `notes` are sentences at its end.
    """

    scan: str
    region: str
    report: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """One task, as ``Resources/Tasks/NAME.json`` states it (`task_json.task_from_json`).

    `modality` is "CT" or "MR". `table` are the structures, `checks` names of `vocabulary.KNOWN_CHECKS`, `measurements` names of
    `vocabulary.KNOWN_MEASUREMENTS`. `preprocessing` and `network` are the defaults of a bundle of this task: entries of
    `bundle.Preprocessing` and of `bundle.NetworkSpec`; the number of classes follows from the table.
    """

    name: str
    title: str
    description: str
    modality: str
    table: StructureTable
    checks: tuple[str, ...]
    measurements: tuple[str, ...]
    words: TaskWords
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)

    @property
    def in_hounsfield(self) -> bool:
        """Whether densities in Hounsfield units mean anything: then they are measured, drawn as volumes and told.

        >>> from MSKSegmentLib.tasks import HIP_THIGH_CT
        >>> HIP_THIGH_CT.in_hounsfield
        True
        """
        return self.modality == CT_MODALITY

    def in_words(self, sentence: str) -> str:
        """A sentence of the library, which says CT, with what the task calls its scan.

        >>> from MSKSegmentLib.tasks import load_task
        >>> load_task("lower-limb-mr").in_words("All of it lies outside the CT.")
        'All of it lies outside the MR scan.'
        """
        return sentence if self.in_hounsfield else re.sub(r"\bCT\b", self.words.scan, sentence)

    def runs(self, check: str) -> bool:
        """Whether the task runs a check of that name."""
        return check in self.checks

    def measures(self, measurement: str) -> bool:
        """Whether the task takes a measurement of that name."""
        return measurement in self.measurements

    def shows(self, column: str) -> bool:
        """Whether tables of the task have a column: those of its measurements, and those that no measurement fills."""
        own = (name for measurement in self.measurements for name in KNOWN_MEASUREMENTS[measurement].columns)
        return column not in MEASURED_COLUMNS or column in own

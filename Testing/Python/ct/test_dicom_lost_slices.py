"""Slices lost at regular places, told by their numbers, and a slice with the wrong rescaling, told by its number."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_inputs import SLICES, each, only_some, plain
from pydicom.dataset import Dataset

from MSKSegmentLib.ct import read_ct
from MSKSegmentLib.quality.guards import scan_cautions


def _numbered(step: int, first: int = 1, **tags: float) -> Callable[[int, Dataset], None]:
    def edit(k: int, data: Dataset) -> None:
        each(InstanceNumber=first + step * k, **tags)(k, data)

    return edit


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (_numbered(2, SliceThickness=3.0), True),
        (_numbered(-2, 100, SliceThickness=3.0), True),
        (_numbered(3, SliceThickness=2.0), True),
        (_numbered(2, SliceThickness=3.0, SpacingBetweenSlices=3.0), True),
        (_numbered(2, SpacingBetweenSlices=3.0), True),
        (_numbered(1, SliceThickness=3.0), False),
        (_numbered(2, SliceThickness=6.0), False),
        (_numbered(2, SliceThickness=6.0, SpacingBetweenSlices=6.0), False),
        (_numbered(2), False),
    ],
)
def test_slices_that_were_lost_at_regular_places_are_told(edit: Callable[[int, Dataset], None], told: bool, tmp_path: Path) -> None:
    volume = read_ct(plain(tmp_path, levels=6.0 * np.arange(SLICES), edit=edit))
    found = [f for f in volume.findings if f.code == "slices_skipped"]
    assert len(found) == told
    assert bool(scan_cautions(volume.findings)) == told
    assert not told or "numbered in steps of" in found[0].sentence


def test_slices_that_were_lost_in_a_part_are_told(tmp_path: Path) -> None:
    kept = np.append(np.arange(14), np.arange(14, 34, 2))

    def edit(k: int, data: Dataset) -> None:
        each(InstanceNumber=int(kept[k]) + 1, SliceThickness=3.0)(k, data)

    volume = read_ct(plain(tmp_path, levels=3.0 * kept, edit=edit))
    assert "slices_skipped" in {f.code for f in volume.findings}


def test_a_slice_with_the_wrong_rescaling_is_named(tmp_path: Path) -> None:
    volume = read_ct(plain(tmp_path, edit=only_some(each(RescaleIntercept=0), 7)))
    (finding,) = volume.findings
    assert re.search(r"\(number 8\).*by 10[0-4]\d HU", finding.sentence)
    assert len(scan_cautions(volume.findings)) == 1

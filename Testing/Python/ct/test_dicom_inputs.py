"""Odd DICOM is read as the plain series is, and what was repaired, left out or doubted is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_file_inputs import FILES
from dicom_group_inputs import GROUPS
from dicom_inputs import SCAN, DicomInput, plain
from dicom_pixel_inputs import PIXELS

from MSKSegmentLib.ct import CTVolume, read_ct


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> CTVolume:
    return read_ct(plain(tmp_path_factory.mktemp("plain")))


@pytest.mark.parametrize("entry", [*PIXELS, *FILES, *GROUPS], ids=lambda entry: entry.name)
def test_read_as_the_plain_series(entry: DicomInput, expected: CTVolume, tmp_path: Path) -> None:
    np.testing.assert_array_equal(expected.hu, SCAN)
    volume = read_ct(entry.make(tmp_path))
    assert {finding.code for finding in volume.findings} == entry.codes
    assert volume.geometry.matches(expected.geometry)
    wanted = SCAN if entry.expected is None else entry.expected
    assert np.abs(volume.hu.astype(int) - wanted).max() <= entry.tolerance

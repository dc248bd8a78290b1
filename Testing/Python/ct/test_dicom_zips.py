"""Zipped DICOM given as a CT: read like its folder, with a choice among series, and within limits."""

import zipfile

import numpy as np
import pytest
from ct_scans import two_thighs, write_dicom
from dicom_inputs import SCAN, plain

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.reading.dicom import archives
from MSKSegmentLib.ct.reading.files import list_series, read_ct
from MSKSegmentLib.errors import InputError


def zipped(folder, path, name=lambda path: path.name):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for file in sorted(folder.rglob("*.dcm")):
            target.write(file, name(file))
    return path


@pytest.fixture(scope="module")
def two_series(tmp_path_factory):
    place = tmp_path_factory.mktemp("zips")
    for number, slices in ((2, 12), (3, 10)):
        write_dicom(place / "study" / str(number), two_thighs(slices, seed=number), number=number, tags={"SliceThickness": 5.0})
    return zipped(place / "study", place / "study.zip", lambda path: f"{path.parent.name}/{path.name}")


def test_a_zip_is_read_as_its_folder(tmp_path):
    folder = plain(tmp_path)
    volume, same = read_ct(zipped(folder, tmp_path / "scan.zip")), read_ct(folder)
    np.testing.assert_array_equal(volume.hu, SCAN)
    assert volume.geometry == same.geometry and volume.findings == same.findings
    assert volume.source.identity == same.source.identity


def test_a_choice_among_the_series_of_a_zip(two_series, capsys):
    assert [(info.number, info.slices, info.thickness) for info in list_series(two_series)] == [("2", 12, 5.0), ("3", 10, 5.0)]
    with pytest.raises(InputError) as refusal:
        read_ct(two_series)
    sentence = str(refusal.value)
    assert sentence.startswith("The zip holds 2 CT series; choose one by its number with the option --series: ")
    assert '2 "Thigh 2" (CT, 12 slices of 4.00 x 4.00 x 5.00 mm, 5.00 mm thick)' in sentence
    np.testing.assert_array_equal(read_ct(two_series, "3").hu, two_thighs(10, seed=3))
    with pytest.raises(InputError, match="There is no series 7 here"):
        read_ct(two_series, "7")
    assert main(["check", str(two_series), "--series", "2"]) == 0
    assert "96 x 64 x 12 voxels" in capsys.readouterr().out


def test_names_in_a_zip_lead_nowhere(tmp_path):
    folder = plain(tmp_path / "a" / "b")
    path = zipped(folder, tmp_path / "a" / "scan.zip", lambda path: f"../../{path.name}")
    before = sorted(tmp_path.rglob("*"))
    np.testing.assert_array_equal(read_ct(path).hu, SCAN)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_unpacks_to_too_much_is_refused_and_removed(tmp_path, monkeypatch):
    path = zipped(plain(tmp_path / "in"), tmp_path / "scan.zip")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setattr(archives, "_MOST_UNPACKED_BYTES", 100_000)
    with pytest.raises(InputError, match="unpacks to more than 0 MB"):
        read_ct(path)
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("content", "words"), [(b"PK\x03\x04 nothing", "damaged"), (b"PK\x05\x06" + bytes(18), "holds no DICOM images")]
)
def test_zips_without_images_are_refused(tmp_path, content, words):
    path = tmp_path / "scan.zip"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_ct(path)

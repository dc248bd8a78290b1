"""Files that come in through the page: what is taken, what is refused, and that none of them reaches outside."""

import gzip
import io
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from web_uploading import dicom_slice, send, zipped

from MSKSegmentLib.ct import read_ct
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.web.case import uploads
from MSKSegmentLib.web.case.lock import LOCK
from MSKSegmentLib.web.case.uploads import Upload, shown_name

ROOT = Path(__file__).resolve().parents[3]
SECRET = "nobody may read this\n" * 400


def image_bytes(tmp_path, extension, shape=(12, 40, 48)):
    path = tmp_path / f"made{extension}"
    image = sitk.GetImageFromArray(np.arange(np.prod(shape), dtype=np.int16).reshape(shape))
    image.SetSpacing((2.0, 2.5, 3.0))
    sitk.WriteImage(image, str(path))
    return path.read_bytes()


def refusal(*args, **kwargs):
    with pytest.raises(InputError) as caught:
        send(*args, **kwargs)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


@pytest.mark.parametrize("extension", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("chunk", [100, 1 << 20])
def test_images_of_all_kinds_are_taken_by_their_content_not_their_name(tmp_path, extension, chunk):
    arrived = send(tmp_path, "Patient Müller.bin", image_bytes(tmp_path, extension), chunk=chunk)
    volume = read_ct(arrived.path)
    assert volume.hu.shape == (12, 40, 48) and volume.hu[0, 0, 5] == 5
    assert arrived.name == "Patient_Müller.bin" and arrived.path.parent == arrived.folder
    arrived.discard()
    assert not arrived.folder.exists()


def test_a_zipped_series_with_other_files_around_it_is_taken(tmp_path):
    slices = [(f"study/series/IM{k}", dicom_slice(k)) for k in range(10)]
    other = [("study/", b""), ("study/DICOMDIR.txt", b"x" * 5000), ("__MACOSX/._IM1", b"\0\5\x16\7"), ("readme", b"")]
    arrived = send(tmp_path, "C:\\scans\\hip.zip", zipped(other + slices))
    volume = read_ct(arrived.path)
    assert volume.hu.shape == (10, 64, 64) and list(volume.hu[:, 0, 0]) == list(range(10))
    assert arrived.name == "hip" and len(list(arrived.path.iterdir())) == 10


def test_names_in_a_zip_lead_nowhere(tmp_path):
    evil = ["../../escaped", "/tmp/msk_escaped", "..\\..\\escaped", "a/../../../escaped", "C:/escaped", "con", "x\0y"]
    arrived = send(tmp_path, "evil.zip", zipped([(name, dicom_slice(k)) for k, name in enumerate(evil)]))
    inside = {path for path in tmp_path.rglob("*") if path.is_file() and path.name != LOCK}
    assert {path.parent for path in inside} == {arrived.path}
    assert len(inside) == len(evil)
    assert not any("escaped" in path.name for path in [*inside, *tmp_path.parent.glob("*")])


def test_a_link_in_a_zip_is_no_link(tmp_path):
    entry = zipfile.ZipInfo("series/link.dcm")
    entry.external_attr = 0o120777 << 16
    sentence = refusal(tmp_path, "links.zip", zipped([(entry, b"/etc/passwd")]))
    assert sentence.startswith("The zip links.zip holds no DICOM images")


def test_a_zip_that_unpacks_to_too_much_is_stopped_while_it_unpacks(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "_LEAST_UNPACKED_BYTES", 1 << 20)
    bomb = zipped([(f"{k}.dcm", b"\0" * 128 + b"DICM" + b"\0" * (3 << 20)) for k in range(40)])
    assert len(bomb) < 1 << 18
    sentence = refusal(tmp_path, "bomb.zip", bomb, most=len(bomb))
    assert "unpacks to more than 1 MB" in sentence
    assert not any(path.is_file() for path in (tmp_path / "results").rglob("*"))


def test_a_zip_that_lies_about_its_sizes_is_stopped_too(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "_LEAST_UNPACKED_BYTES", 1 << 20)
    content = b"\0" * 128 + b"DICM" + b"\0" * (8 << 20)
    lying = zipped([("a.dcm", content)]).replace(struct.pack("<I", len(content)), struct.pack("<I", 1000))
    sentence = refusal(tmp_path, "liar.zip", lying, most=1 << 18)
    assert "unpacks to more" in sentence or "damaged" in sentence


def test_other_zips_are_refused_in_words(tmp_path):
    whole = zipped([(f"{k}.dcm", dicom_slice(k)) for k in range(9)])
    assert "damaged" in refusal(tmp_path, "cut.zip", whole[: len(whole) // 2])
    locked = bytearray(whole)
    # Bit 0 of the flags, in the local header and in every entry of the directory.
    for sign, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = locked.find(sign)
        while start >= 0:
            locked[start + offset] |= 1
            start = locked.find(sign, start + 4)
    assert "encrypted" in refusal(tmp_path, "locked.zip", bytes(locked))
    assert "holds no DICOM images" in refusal(tmp_path, "photos.zip", zipped([("a.jpg", b"\xff\xd8" + b"x" * 9000)]))


def test_an_unusual_compression_is_refused_in_words(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("1.dcm", dicom_slice(1))
    assert "packed in an unusual way" in refusal(tmp_path, "lzma.zip", file.getvalue())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("photo.nii.gz", b"\xff\xd8\xff\xe0" + b"jpeg" * 4000, "is no scan that can be read"),
        ("table.csv", b"a,b,c\n1,2,3\n", "is no scan that can be read"),
        ("page.nii", b"<html><script>alert(1)</script></html>" * 300, "is no scan that can be read"),
        ("log.nii.gz", gzip.compress(b"only text, no image\n" * 2000), "is not a NIfTI image"),
        ("slice.dcm", dicom_slice(1), "single DICOM file"),
        ("empty.nii", b"", "is empty"),
        ("short.nii.gz", b"\x1f\x8b", "is not a NIfTI image"),
    ],
)
def test_wrong_files_are_refused_by_their_content(tmp_path, name, content, words):
    assert words in refusal(tmp_path, name, content)
    assert not any(path.is_file() for path in (tmp_path / "results").rglob("*"))


def test_a_wrong_file_is_refused_before_all_of_it_has_come(tmp_path):
    upload = Upload(tmp_path, "film.mp4", 1 << 30, 2 << 30)
    with pytest.raises(InputError, match="is no scan"):
        for _ in range(10):
            upload.write(b"\0\0\0\x18ftypmp42" * 1000)
    assert upload.received < 1 << 17
    upload.discard()


def test_too_large_files_are_refused_by_what_they_announce_and_by_what_comes(tmp_path):
    with pytest.raises(InputError, match="larger than 1 MB.*--max-upload-mb"):
        Upload(tmp_path, "big.nii", 2 << 20, 1 << 20)
    content = image_bytes(tmp_path, ".nii", (40, 120, 140))
    assert "larger than 1 MB" in refusal(tmp_path, "big.nii", content, most=1 << 20, total=0)
    assert not any(path.is_file() for path in (tmp_path / "results").rglob("*"))


def test_a_file_that_did_not_arrive_whole_is_refused(tmp_path):
    content = image_bytes(tmp_path, ".nrrd")
    assert "did not arrive whole" in refusal(tmp_path, "half.nrrd", content[:-10], total=len(content))


def detached(tmp_path, kind, line, after=b""):
    secret = tmp_path / "secret.raw"
    secret.write_text(SECRET, encoding="utf-8")
    text = {
        "nrrd": "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 20 20 20\nencoding: raw\n{}\n\n",
        "mha": "ObjectType = Image\nNDims = 3\nDimSize = 20 20 20\nElementType = MET_UCHAR\n{}\n",
    }[kind]
    return text.format(line.format(secret)).encode() + after + b"\0" * 8000


@pytest.mark.parametrize(
    "line", ["data file: {}", "datafile: {}", "Data File: {}", "data file: LIST\n{}", "content: x\ndata file:{}"]
)
def test_a_nrrd_header_may_not_point_to_other_files(tmp_path, line):
    sentence = refusal(tmp_path, "evil.nrrd", detached(tmp_path, "nrrd", line))
    assert sentence == "The file evil.nrrd keeps its pixels in another file; save the scan as one .nrrd file."


def test_a_nrrd_header_with_line_ends_of_windows_may_not_point_to_other_files(tmp_path):
    content = detached(tmp_path, "nrrd", "data file: {}").replace(b"\n", b"\r\n")
    assert "in another file" in refusal(tmp_path, "evil.nrrd", content)


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("ElementDataFile = {}", b""),
        ("ElementDataFile = {}", b"ElementDataFile = LOCAL\n"),
        ("ElementDataFile : {}", b"ElementDataFile = LOCAL\n"),
        ("  ElementDataFile={}", b""),
        ("Comment = ElementDataFile = LOCAL\nElementDataFile = {}", b""),
        ("ElementDataFile = LIST\n{}", b""),
        ("ElementDataFile = %d.raw 1 20 1", b""),
    ],
)
def test_a_metaimage_header_may_not_point_to_other_files(tmp_path, line, after):
    sentence = refusal(tmp_path, "evil.mha", detached(tmp_path, "mha", line, after))
    assert sentence == "The file evil.mha keeps its pixels in another file; save the scan as one .mha file."


def test_the_pixels_of_other_files_could_really_be_read_without_that_check(tmp_path):
    """The danger is real: the reader follows such a header."""
    path = tmp_path / "evil.mha"
    path.write_bytes(detached(tmp_path, "mha", "ElementDataFile = {}").rstrip(b"\0"))
    assert bytes(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).ravel()[:6]) == b"nobody"


def test_a_header_that_claims_more_voxels_than_memory_is_refused_before_they_are_read(tmp_path):
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4000 4000 4000\nendian: little\nencoding: gzip\nspacings: 1 1 1\n\n"
    sentence = refusal(tmp_path, "huge.nrrd", header.encode() + gzip.compress(b"\0" * 10000))
    assert "64.0 billion voxels" in sentence


def test_names_from_the_browser_are_only_shown(tmp_path):
    assert shown_name("../../etc/passwd") == "passwd"
    assert shown_name("C:\\a\\b\nc.nii") == "bc.nii"
    assert shown_name("x" * 500) == "x" * 80
    assert shown_name("/") == "upload"
    arrived = send(tmp_path, "../../../evil.nii.gz", image_bytes(tmp_path, ".nii.gz"))
    assert arrived.path.resolve().is_relative_to((tmp_path / "results").resolve()) and arrived.name == "evil"


def test_leftovers_of_a_killed_server_are_removed_and_running_uploads_stay(tmp_path):
    code = f"""
import os
from pathlib import Path
from MSKSegmentLib.web.case.uploads import Upload
upload = Upload(Path({str(tmp_path)!r}), "a.nii", 10, 1 << 20)
upload.write(b"x")
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    running = Upload(tmp_path, "b.nii", 10, 1 << 20)
    assert len(list((tmp_path / uploads.FOLDER).iterdir())) == 2
    uploads.remove_stale_uploads(tmp_path)
    assert list((tmp_path / uploads.FOLDER).iterdir()) == [running.folder]
    running.discard()

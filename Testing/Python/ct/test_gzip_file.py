"""Gzip files are gone through once: whole ones, those with something behind them, and damaged ones."""

import gzip
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from image_writing import lopsided, nifti

from MSKSegmentLib.ct import read_ct
from MSKSegmentLib.ct.reading.images.gzip_file import DAMAGE, GzipMembers
from MSKSegmentLib.errors import InputError

CONTENT = np.random.default_rng(0).integers(0, 50, 700_000, dtype=np.uint8).tobytes()
WHOLE = gzip.compress(CONTENT, 6)
MORE = gzip.compress(b"more")


def _changed(data, place):
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place:][1:]


def _with_header_checksum(wrong):
    """`WHOLE` with the optional checksum of its header (RFC 1952, FHCRC)."""
    header = bytearray(WHOLE[:10])
    header[3] |= 2
    checksum = (zlib.crc32(bytes(header)) & 0xFFFF) ^ wrong
    return bytes(header) + struct.pack("<H", checksum) + WHOLE[10:]


def _unpacked(data, folder):
    path = folder / "packed.gz"
    path.write_bytes(data)
    with path.open("rb") as file:
        members = GzipMembers(file)
        return io.BufferedReader(members).read(), members.behind


@pytest.mark.parametrize(
    ("data", "wanted", "behind"),
    [
        (WHOLE, CONTENT, 0),
        (gzip.compress(b""), b"", 0),
        (gzip.compress(b"") + WHOLE + MORE, CONTENT + b"more", 0),
        (WHOLE + bytes(900_000), CONTENT, 0),
        (WHOLE + bytes(900_000) + MORE, CONTENT + b"more", 0),
        (_with_header_checksum(wrong=0), CONTENT, 0),
        (WHOLE + b"x", CONTENT, 1),
        (WHOLE + b"\x1f", CONTENT, 1),
        (MORE + b"x" * 900_000, b"more", 900_000),
        (MORE + bytes(500) + b"xyz", b"more", 3),
    ],
    ids=[
        "one",
        "empty",
        "three",
        "zeros",
        "zeros between",
        "header checksum",
        "one byte",
        "half a magic",
        "much behind",
        "zeros and more",
    ],
)
def test_members_and_what_follows_them(data, wanted, behind, tmp_path):
    assert _unpacked(data, tmp_path) == (wanted, behind)


@pytest.mark.parametrize(
    "data",
    [
        *(WHOLE[:end] for end in (2, 5, 10, 50, len(WHOLE) // 2, -9, -8, -5, -1)),
        *(_changed(WHOLE, place) for place in (2, 40, len(WHOLE) // 2, -8, -1)),
        _with_header_checksum(wrong=1),
        WHOLE + MORE[:-9],
        WHOLE + MORE[:2],
        WHOLE + _changed(MORE, -5),
    ],
)
def test_damage_is_never_taken_for_an_end(data, tmp_path):
    with pytest.raises(DAMAGE):
        _unpacked(data, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-3],
        lambda data: _changed(data, -5),
        lambda data: _changed(data, -1),
        lambda data: data + b"behind it",
        lambda data: data + b"x",
    ],
    ids=["half", "cut at the end", "checksum", "length", "something behind", "one byte behind"],
)
def test_a_scan_is_read_no_more_often_than_a_whole_one(change, tmp_path, monkeypatch):
    plain = nifti()(tmp_path, lopsided())
    path = tmp_path / "scan.nii.gz"
    data = gzip.compress(plain.read_bytes())
    opened = []
    really_open = Path.open

    def counted(self, *arguments, **options):
        opened.append(self == path)
        return really_open(self, *arguments, **options)

    def times(content):
        path.write_bytes(content)
        opened.clear()
        try:
            assert [finding.code for finding in read_ct(path).findings] in ([], ["bytes_left_over"])
        except InputError as error:
            assert str(error) == "The file scan.nii.gz is damaged or cut short; copy or export it again."
        return sum(opened)

    monkeypatch.setattr(Path, "open", counted)
    usual = times(data)
    assert 0 < times(change(data)) <= usual

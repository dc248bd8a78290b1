"""What a user may copy from a log: nothing of patients, people, folders or this computer."""

import getpass
import platform
from pathlib import Path

import pytest

from MSKSegmentLib.review import redacted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Reading /data/patients/Yamada Taro/ct hip.nii.gz (512x512)", "Reading <path>.nii.gz (512x512)"),
        (r"Reading C:\Users\Dr Müller\Desktop\Hans 1950\ct.nrrd done", "Reading <path>.nrrd done"),
        (r"Writing \\server\share\study7\out and ~/results/x, ./here.", "Writing <path> and <path>, <path>."),
        ("There is no file YAMADA_TARO.nii.gz; check the path.", "There is no file <path>.nii.gz; check the path."),
        ("The folder '/mnt/研究/患者 1' holds other files", "The folder '<path>' holds other files"),
        ("研究/山田太郎/結果.nrrd is damaged", "<path>.nrrd is damaged"),
        ("see file:///srv/x/y.mrb now", "see <path>.mrb now"),
        ("--output=/srv/hidden/out --ct:/srv/a/b.dcm", "--output=<path> --ct:<path>.dcm"),
        ("series 1.2.840.113619.2.55.3.604688119.971.1500000000.467 chosen", "series <UID> chosen"),
        ("PatientName: SUZUKI^HANAKO^^\nPatient ID = 12-34; ok", "PatientName: <private>\nPatient ID = <private>; ok"),
        ("for SUZUKI^HANAKO today", "for <name> today"),
    ],
)
def test_private_things_go(text, expected):
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Volume 12.3 cc/m2, 3/4 of it and/or less; 1 / 2",
        "Slicer 5.11.0.6, torch 2.13.0, numpy 2.4.1",
        "see https://doi.org/10.1038/s41598-024-83793-7.",
        "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 7.79 GiB total capacity)",
        "stage inference: 31/200, eta 12:30",
    ],
)
def test_what_helps_stays(text):
    assert redacted(text) == text


def test_a_traceback_keeps_program_files_and_lines():
    text = 'File "/home/somebody/Slicer/lib/site-packages/MSKSegmentLib/pipeline.py", line 31, in segment_case'
    assert redacted(text) == 'File "<path>/pipeline.py", line 31, in segment_case'
    windows = r'  File "C:\Users\Some Body\AppData\Local\cli.py", line 3'
    assert redacted(windows) == '  File "<path>/cli.py", line 3'


def test_what_was_in_a_path_goes_wherever_it_stands():
    text = "Reading /data/Yamada_Taro/hip.nii.gz\nNode 'Yamada_Taro' added; yamada_taro again; patient name: Sato Jiro\nJIRO"
    cleaned = redacted(text).casefold()
    assert "yamada" not in cleaned and "jiro" not in cleaned and "node" in cleaned


def test_names_that_the_caller_knows_go_too():
    text = "Volume CT_Tanaka: Tanaka Ken, 3 slices"
    assert redacted(text) == text
    assert redacted(text, ["CT_Tanaka", Path("/x/Tanaka Ken/scan.nii")]) == "Volume <private>: <private>, 3 slices"


def test_the_names_of_user_and_computer_go(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "k.sato")
    monkeypatch.setattr(platform, "node", lambda: "OSAKA-CT4.hospital.example")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ksato7"))
    text = redacted("k.sato on osaka-ct4 (OSAKA-CT4.hospital.example), home ksato7; ksato77 stays")
    assert text == "<private> on <private> (<private>), home <private>; ksato77 stays"


def test_a_computer_whose_user_has_no_name(monkeypatch):
    def nobody():
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert redacted("all is well") == "all is well"


def test_cleaning_twice_changes_nothing():
    once = redacted("File '/a/b/c.nii.gz' and 1.2.840.10008.1.2.1 of DOE^JANE in /srv/x/y")
    assert redacted(once) == once

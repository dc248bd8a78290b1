"""Every broken input is refused with one plain sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from broken_input import BrokenInput
from broken_inputs import BROKEN

from MSKSegmentLib.ct import check_volume, read_ct, refuse, to_working_grid
from MSKSegmentLib.errors import InputError

JARGON = re.compile(r"Traceback|Error\b|Exception|itk|NoneType|object at|0x[0-9a-f]+|\bnan\b", re.IGNORECASE)


def refusal_of(entry: BrokenInput, folder: Path) -> str:
    path = entry.make(folder)
    with pytest.raises(InputError) as caught:
        refuse(check_volume(to_working_grid(read_ct(path, entry.series)).volume))
    return str(caught.value)


@pytest.mark.parametrize("entry", BROKEN, ids=lambda entry: entry.name)
def test_refused_with_one_sentence(entry: BrokenInput, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sentence = refusal_of(entry, tmp_path)
    assert sentence[0].isupper() and sentence.endswith(".") and "\n" not in sentence
    assert 20 < len(sentence) < 400
    assert str(tmp_path) not in sentence and "Phantom" not in sentence
    assert JARGON.search(sentence.replace("NaN", "")) is None
    # A remedy follows the complaint.
    assert re.search(r"[;:,] ?(so |and )?|needed", sentence)
    # One sentence: a full stop followed by a space occurs only at the end.
    assert not re.search(r"[a-z]\. [A-Z]", sentence)


def test_catalogue_is_large_and_its_names_are_unique() -> None:
    assert len(BROKEN) >= 45
    assert len({entry.name for entry in BROKEN}) == len(BROKEN)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing path", "no file or folder nowhere.nii.gz"),
        ("4D", "4 dimensions"),
        ("vector", "3 values per voxel"),
        ("NaN", "not numbers"),
        ("infinity", "not numbers"),
        ("truncated nii", "cut short"),
        ("truncated nii.gz", "cut short"),
        ("all air", "All values of the image are -1024"),
        ("noisy air", "nothing but air"),
        ("8 bit", "between 0 and 255"),
        ("clipped window", "below -150 HU"),
        ("not rescaled", "offset of about 1024"),
        ("MR-like", "not MR"),
        ("normalised MR", "not MR"),
        ("nii with zero spacing", "spacing of zero"),
        ("label map", "label map"),
        ("15 mm slices", "slice interval of 15 mm"),
        ("0.05 mm pixels", "pixel spacing of 0.05"),
        ("tiny body", "No body was found"),
        ("sheared nrrd", "right angles"),
        ("DICOM MR", "MR and not CT"),
        ("DICOM PET", "PT and not CT"),
        ("DICOM colour capture", "colour"),
        ("DICOM localizer", "localizer"),
        ("DICOM of 5 slices", "only 5 slices"),
        ("DICOM missing slice", "lacks 1 slice (after slice 9"),
        ("DICOM missing slices", "lacks 3 slices (after slice 5, after slice 12"),
        ("DICOM missing before last", "lacks 2 slices"),
        ("DICOM duplicate position", "at 1 slice position"),
        ("DICOM two phases", "at 10 slice positions"),
        ("DICOM several series", '2 "Thigh 2" (CT, 12 slices of 4.00 x 4.00 x 5.00 mm), 3 "Thigh 3" (CT, 10 slices'),
        ("DICOM unknown series", "no series 99"),
        ("DICOM mixed orientations", "left out: image number 5 lies in another plane"),
        ("DICOM without positions", "do not state their position"),
        ("DICOM of another quantity", 'of the type "Z_EFF"'),
        ("DICOM with detector spacing alone", "spacing at the detector only"),
        ("DICOM with shuffled positions", "order of their numbers"),
        ("DICOM rescaled in part", "no rescaling in 4 of its slices"),
        ("DICOM headers without pixels", "holds no image"),
        ("DICOM with packed pixels", "packs its pixels"),
        ("DICOM mixed sizes", "differ in size"),
        ("DICOM zigzag", "shifted against each other"),
        ("DICOM stacked askew", "50 degrees"),
        ("DICOM undecodable", "JPEG 2000"),
        ("DICOM cut slice", "cut short"),
        ("series of a file", "--series"),
    ],
)
def test_says_what_is_wrong(name: str, words: str, tmp_path: Path) -> None:
    entry = next(entry for entry in BROKEN if entry.name == name)
    assert words in refusal_of(entry, tmp_path)

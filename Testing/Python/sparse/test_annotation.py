"""The folder that somebody annotates, and what of it is taken as labelled."""

import json
import os

import numpy as np
import pytest
import SimpleITK as sitk
from conftest import phantom_volume
from mr_phantoms import mr_volume
from training_cases import labels_of

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct import read_label_map
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.evaluation.cases import find_labelled_cases, read_labelled_case
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.review import ReviewSession
from MSKSegmentLib.sparse.annotation import Proposal, take_annotations, write_annotation_case
from MSKSegmentLib.sparse.levels import levels_at
from MSKSegmentLib.sparse.reviewed import fill_from_review
from MSKSegmentLib.tasks import HIP_THIGH_CT, load_task

ALL = tuple(structure.abbreviation for structure in HIP_AND_THIGH.structures)


@pytest.fixture
def case(tmp_path):
    """A case of which slices 3, 8 and 15 are asked for."""
    volume = phantom_volume()
    levels = levels_at(volume.geometry, [(name, 30.0 + 6 * k) for name, k in (("high", 15), ("middle", 8), ("low", 3))])
    write_annotation_case(tmp_path / "cases" / "p1", volume, Proposal(levels, ALL, HIP_THIGH_CT))
    return tmp_path / "cases" / "p1"


def draw(case, slices, change=lambda labels: labels):
    """Save what Slicer would: the segmentation, with its header, with the truth in these slices."""
    volume = phantom_volume()
    image = sitk.ReadImage(str(case / "labels.seg.nrrd"))
    labels = sitk.GetArrayFromImage(image)
    labels[slices] = labels_of(volume.hu)[slices]
    drawn = sitk.GetImageFromArray(change(labels))
    drawn.CopyInformation(image)
    for key in image.GetMetaDataKeys():
        drawn.SetMetaData(key, image.GetMetaData(key))
    sitk.WriteImage(drawn, str(case / "labels.seg.nrrd"), useCompression=True)


def files_of(case):
    return find_labelled_cases(case.parent)[0]


def labelled(case):
    return json.loads((case / "labelled.json").read_text())


def test_a_new_folder_has_all_segments_and_no_labelled_slice(case):
    header = sitk.ReadImage(str(case / "labels.seg.nrrd"))
    names = {header.GetMetaData(f"Segment{k}_Name") for k in range(len(HIP_AND_THIGH.segments))}
    assert names == {segment.name for segment in HIP_AND_THIGH.segments}
    assert not read_label_map(case / "labels.seg.nrrd", HIP_AND_THIGH).labels.any()
    found = read_labelled_case(files_of(case), HIP_AND_THIGH)
    assert not found.slices.any() and np.array_equal(found.volume.hu, phantom_volume().hu)
    with pytest.raises(InputError):
        write_annotation_case(case, phantom_volume(), Proposal((), ALL, HIP_THIGH_CT))


def test_only_slices_that_hold_labels_are_taken(case):
    draw(case, [3, 15])
    found = take_annotations(files_of(case))
    assert [level.name for level in found.drawn] == ["high", "low"] and [level.name for level in found.pending] == ["middle"]
    assert not found.half and found.structures == {"FEMUR", "AD"}
    assert labelled(case) == {"slices": [3, 15]}
    assert np.flatnonzero(read_labelled_case(files_of(case), HIP_AND_THIGH).slices).tolist() == [3, 15]


def test_taken_again_nothing_is_written_where_nothing_was_drawn(case):
    draw(case, [3, 15])
    take_annotations(files_of(case))
    path = case / "labelled.json"
    os.utime(path, ns=(1, 1))
    take_annotations(files_of(case))
    assert path.stat().st_mtime_ns == 1
    draw(case, [8])
    take_annotations(files_of(case))
    assert path.stat().st_mtime_ns > 1 and labelled(case) == {"slices": [3, 8, 15]}


def test_a_side_that_nobody_drew_is_unknown_and_no_background(case):
    def right_alone(labels):
        labels[15][labels[15] > 100] = 0
        return labels

    draw(case, [3, 15], right_alone)
    found = take_annotations(files_of(case))
    assert [level.name for level in found.half] == ["high"]
    known = labelled(case)["segments"]
    assert known["GMAX_right"] == [3, 15] and known["GMAX_left"] == [3] and known["SACRUM"] == [3, 15]


def test_labels_beside_the_proposed_slices_are_refused_or_taken(case):
    before = labelled(case)
    draw(case, [8, 9])
    with pytest.raises(InputError, match="slice 9, which was not proposed"):
        take_annotations(files_of(case))
    assert labelled(case) == before
    found = take_annotations(files_of(case), all_drawn=True)
    assert {level.number for level in found.drawn} == {8, 9} and labelled(case) == {"slices": [8, 9]}


def test_a_structure_that_was_not_asked_for_is_refused(case):
    path = case / "proposed.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "structures": ["FEMUR"]}))
    draw(case, [8])
    with pytest.raises(InputError, match="which was not asked for"):
        take_annotations(files_of(case))
    draw(case, [8], lambda labels: np.where(np.isin(labels, (13, 113)), 0, labels).astype(np.uint8))
    take_annotations(files_of(case))
    assert labelled(case) == {"slices": [8], "structures": ["FEMUR"]}
    path.write_text(json.dumps({**content, "structures": ["TONGUE"]}))
    with pytest.raises(InputError, match="structures of another task"):
        take_annotations(files_of(case))
    path.unlink()
    with pytest.raises(InputError, match="sparse propose"):
        take_annotations(files_of(case))


@pytest.fixture
def reviewed(case, tmp_path):
    """A result of the case's CT that is right everywhere, under review."""
    volume = phantom_volume()
    return ReviewSession(measure_case(labels_of(volume.hu), volume.geometry, volume), volume, "annotator")


def test_an_accepted_result_fills_the_proposed_slices(case, reviewed, tmp_path):
    write_result(tmp_path / "results" / "p1", reviewed.result)
    with pytest.raises(InputError, match="segments are not accepted, such as"):
        fill_from_review(files_of(case), tmp_path / "results" / "p1")
    for report in reviewed.result.reports:
        reviewed.accept(report.segment.key)
    write_result(tmp_path / "accepted" / "p1", reviewed.result, history=reviewed.history, automatic=reviewed.automatic)
    assert main(["sparse", "take", str(case.parent), "--reviews", str(tmp_path / "accepted")]) == 0
    assert labelled(case) == {"slices": [3, 8, 15]}
    drawn = read_label_map(case / "labels.seg.nrrd", HIP_AND_THIGH).labels
    assert np.array_equal(drawn[8], labels_of(phantom_volume().hu)[8]) and not drawn[9].any()


def test_the_commands_propose_and_take(tmp_path, phantom_file, capsys):
    cases = tmp_path / "cases"
    assert main(["sparse", "propose", str(phantom_file), "-o", str(cases / "t1"), "--at", "L4=60", "--at", "L3=101"]) == 0
    assert capsys.readouterr().out.startswith("L3: slice 12, S 102.0 mm\nL4: slice 5, S 60.0 mm\nDraw 8 structures")
    assert json.loads((cases / "t1" / "proposed.json").read_text())["task"] == "trunk-ct"
    assert main(["sparse", "take", str(cases)]) == 0
    assert capsys.readouterr().out == "t1: 0 slices drawn, not yet drawn: L3, L4\n"
    image = sitk.ReadImage(str(cases / "t1" / "labels.seg.nrrd"))
    labels = sitk.GetArrayFromImage(image)
    labels[4] = labels_of(phantom_volume().hu)[4] > 0
    drawn = sitk.GetImageFromArray(labels)
    drawn.CopyInformation(image)
    for key in image.GetMetaDataKeys():
        drawn.SetMetaData(key, image.GetMetaData(key))
    sitk.WriteImage(drawn, str(cases / "t1" / "labels.seg.nrrd"))
    assert main(["sparse", "take", str(cases)]) == 2 and "slice 4, which was not proposed" in capsys.readouterr().err
    for words, sentence in (
        (["--levels", "3", "--structures", "TONGUE"], "no structure 'TONGUE'"),
        ([], "in one way"),
        (["--levels", "3", "--task", "nowhere"], "no task 'nowhere'"),
    ):
        assert main(["sparse", "propose", str(phantom_file), "-o", str(cases / "t2"), *words]) == 2
        assert sentence in capsys.readouterr().err
    assert not (cases / "t2").exists()


def test_a_folder_of_mr_is_read_as_mr(tmp_path):
    """By the name of its scan; half a slice of labels would be learned on intensities taken for Hounsfield units."""
    volume, task = mr_volume(), load_task("lower-limb-mr")
    write_annotation_case(tmp_path / "p1", volume, Proposal(levels_at(volume.geometry, [("middle", 80.0)]), ("VL",), task))
    assert (tmp_path / "p1" / "mr.nrrd").is_file() and not (tmp_path / "p1" / "ct.nrrd").exists()
    (files,) = find_labelled_cases(tmp_path)
    assert files.modality == "MR"

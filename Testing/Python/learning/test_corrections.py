"""What counts as known in reviewed results, whose they are, and what a training makes of them."""

import json

import numpy as np
import pytest
import torch
from learning_cases import FEMORA, correct, opened, write_corrected, write_reviewed
from review_cases import mask_of
from training_cases import PREPROCESSING, SPEC

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.evaluation.cases import find_labelled_cases, read_labelled, read_labelled_case
from MSKSegmentLib.evaluation.metrics import Outcome, Scope, evaluate_labels, whole_reports
from MSKSegmentLib.learning.case_files import case_names, write_cases
from MSKSegmentLib.learning.corrections import Correction, KnownKind, read_reviewed
from MSKSegmentLib.learning.gathering import gather, known_table
from MSKSegmentLib.learning.plan import LearningPlan, held_out_patients
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.training.augmentation import NO_AUGMENTATION
from MSKSegmentLib.training.losses import segmentation_loss
from MSKSegmentLib.training.pairs import PairSlices, prepare_case
from MSKSegmentLib.training.sources import UNLABELLED

MUSCLE_RIGHT, MUSCLE_LEFT = (segment.key for segment in HIP_AND_THIGH.segments if segment.label in (13, 113))


@pytest.fixture(scope="module")
def partly(tmp_path_factory):
    """One femur accepted as drawn, the right muscle corrected in slices 5 to 8, the left one everywhere and accepted."""
    session, truth = opened()
    left = truth.copy()
    left[(truth == 13) & (session.result.labels == 0)] = 0
    correct(session, left)
    session.accept(MUSCLE_LEFT)
    correct(session, truth, slice(5, 9))
    session.accept(FEMORA[0])
    return write_reviewed(tmp_path_factory.mktemp("reviews") / "partly", session)


@pytest.fixture(scope="module")
def case(partly, tmp_path_factory):
    """The same as a labelled case."""
    folder = tmp_path_factory.mktemp("cases")
    gathered = gather([partly])
    write_cases(folder, gathered.results, case_names(gathered))
    return find_labelled_cases(folder)[0]


def test_only_what_a_person_stands_for_is_known(partly):
    reviewed = read_reviewed(partly)
    assert reviewed.corrections == {
        FEMORA[0]: Correction(KnownKind.AS_DRAWN),
        MUSCLE_LEFT: Correction(KnownKind.CORRECTED),
        MUSCLE_RIGHT: Correction(KnownKind.SLICES, (5, 6, 7, 8)),
    }
    assert reviewed.is_corrected


def test_what_only_lost_voxels_to_a_neighbour_is_unknown(tmp_path):
    session, truth = opened()
    grown = session.result.labels.copy()
    grown[3][truth[3] == 2] = 13
    # The right femur loses a slice to the muscle that is drawn by its key.
    session.edit({MUSCLE_RIGHT: mask_of(grown == 13)})
    corrections = read_reviewed(write_reviewed(tmp_path / "r", session)).corrections
    assert corrections == {MUSCLE_RIGHT: Correction(KnownKind.SLICES, (3,))}


def test_the_list_says_what_is_there_and_what_is_missing(partly, capsys):
    assert main(["learn", str(partly), "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    counts = {line.split()[0]: line.split()[1:] for line in lines[1:23]}
    assert counts["FEMUR"] == ["0", "0", "1", "1"] and counts[MUSCLE_LEFT.removesuffix("_left")] == ["1", "1", "0", "1"]
    assert lines[23] == "1 reviewed results of 1 patients, 1 of them corrected." and "GMED" in lines[24]
    names = [name for name, _, patients in known_table(gather([partly])) if patients]
    assert names == ["FEMUR", MUSCLE_LEFT.removesuffix("_left")]


def test_a_case_keeps_for_each_segment_where_it_is_known(case, partly):
    read = read_labelled_case(case, HIP_AND_THIGH)
    assert json.loads(case.labelled.read_text()) == {"segments": {FEMORA[0]: True, MUSCLE_RIGHT: [5, 6, 7, 8], MUSCLE_LEFT: True}}
    assert read.known[:, 2].all() and read.known[:, 113].all() and not read.known[:, 102].any()
    assert np.flatnonzero(read.known[:, 13]).tolist() == [5, 6, 7, 8]
    assert np.flatnonzero(read.structures).tolist() == [0, 2, 13] and read.slices.all()


def test_an_evaluation_counts_each_segment_where_it_is_known(case):
    read = read_labelled_case(case, HIP_AND_THIGH)
    predicted = read.truth.copy()
    predicted[:3][predicted[:3] == 13] = 0
    predicted[:, :, :40][:, 30:34][read.truth[:, :, :40][:, 30:34] == 0] = 102
    scope, geometry = Scope.of(read), read.volume.geometry
    rows = {row.segment.key: row for row in evaluate_labels(read.truth, predicted, geometry, read.volume.hu, scope)}
    assert set(rows) == {FEMORA[0], MUSCLE_RIGHT, MUSCLE_LEFT}
    assert all(row.outcome is Outcome.COMPARED for row in rows.values())
    assert rows[MUSCLE_RIGHT].dice == 1 and rows[MUSCLE_RIGHT].asd_mm == 0, "its error lies where it is not known"
    assert rows[MUSCLE_RIGHT].voxels_true == (read.truth[5:9] == 13).sum()
    reports = {report.segment.key: report for report in measure_case(read.truth, geometry, read.volume).reports}
    assert set(whole_reports(reports, predicted, scope)) >= {FEMORA[0], MUSCLE_LEFT}
    assert MUSCLE_RIGHT not in whole_reports(reports, predicted, scope)


def test_a_training_ignores_what_is_unknown(case, tmp_path):
    path = prepare_case(case, tmp_path, SPEC, PREPROCESSING)
    known = np.array(json.loads(path.with_suffix(".json").read_text())["known"])
    data = np.load(path)
    # In slices 5 to 8 the muscle is known on both sides and the femur on one, elsewhere each on one side: all slices are split.
    assert known.shape == (48, 23) and data.shape[0] == 48
    right, left = data[0, -1], data[1, -1]
    assert known[0].nonzero()[0].tolist() == [0, 2] and known[1].nonzero()[0].tolist() == [0, 13]
    assert set(np.unique(right)) == {UNLABELLED, 0, 2} and set(np.unique(left)) == {UNLABELLED, 0, 13}
    middle = right.shape[1] // 2
    assert (right[:, middle:] == UNLABELLED).all() and (left[:, :middle] == UNLABELLED).all()
    assert known[10].nonzero()[0].tolist() == [0, 2, 13] and 13 in data[10, -1]

    batch = PairSlices([path], PREPROCESSING, (48, 64), 1, NO_AUGMENTATION).batch(6)
    logits = torch.randn(6, 23, 48, 64, generator=torch.Generator().manual_seed(0))
    loss = segmentation_loss(logits, batch.classes, 0.5, batch.known)
    changed = logits.clone()
    changed[(batch.classes == UNLABELLED)[:, None].expand_as(logits)] += 7 * torch.randn(
        1, generator=torch.Generator().manual_seed(1)
    )
    for entry, of_entry in zip(changed, batch.known, strict=True):
        # Which of two unknown structures a voxel has, nobody can say.
        unknown = (~of_entry).nonzero().flatten()
        entry[unknown[:2]] = entry[unknown[:2].flip(0)]
    assert float(segmentation_loss(changed, batch.classes, 0.5, batch.known)) == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"segments": {"WING_left": True}}, "correct 'WING_left'"),
        ({"segments": {"FEMUR_left": [99]}}, "from 0 to 23"),
        ({"segments": {}, "slices": [1]}, "'segments' alone"),
        ({"segments": [1]}, "correct"),
    ],
)
def test_bad_descriptions_are_refused(case, tmp_path, content, words):
    path = tmp_path / "labelled.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        read_labelled(path, 24, HIP_AND_THIGH)


def test_no_patient_is_on_both_sides(tmp_path):
    for number in range(4):
        write_corrected(tmp_path / "reviews" / f"r{number}", number)
    write_corrected(tmp_path / "reviews" / "same_scan", 2)
    table = tmp_path / "patients.csv"
    table.write_text("result,patient\nr0,A\nr3,A\n")
    alone = gather([tmp_path / "reviews"])
    assert len(alone.results) == 5 and len(alone.names) == 4
    gathered = gather([tmp_path / "reviews"], table)
    patients = {folder.name: name for folder, name in gathered.patients.items()}
    assert patients["r2"] == patients["same_scan"] and patients["r0"] == patients["r3"] != patients["r1"]
    assert len(gathered.names) == 3
    held_out = held_out_patients(gathered, LearningPlan(tmp_path / "new"))
    assert len(held_out) == 2 and set(held_out) < set(gathered.names)
    assert held_out == held_out_patients(gathered, LearningPlan(tmp_path / "new"))
    table.write_text("result,who\nr0,A\n")
    with pytest.raises(InputError, match="columns result and patient"):
        gather([tmp_path / "reviews"], table)


def test_too_few_corrections_are_refused(partly, tmp_path, capsys):
    assert main(["learn", str(partly), "-o", str(tmp_path / "new")]) == 2
    error = capsys.readouterr().err
    assert "only 1 of 1 patients" in error and error.count("\n") == 1 and not (tmp_path / "new-learning").exists()
    assert main(["learn", str(partly)]) == 2 and "name it with -o" in capsys.readouterr().err
    session, _ = opened()
    untouched = write_reviewed(tmp_path / "untouched", session)
    assert main(["learn", str(untouched), "--list"]) == 2 and "review them first" in capsys.readouterr().err
    assert main(["learn", str(tmp_path / "nowhere"), "--list"]) == 2 and "no folder 'nowhere'" in capsys.readouterr().err

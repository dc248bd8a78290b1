"""Tasks as files: those that come along, those of users, what is wrong with a faulty one, and the bundles that name them."""

import json

import pytest
from structure_tables import toy_json, toy_table
from task_cases import TOY_TASK, write_task_bundle, write_toy_task

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import load_bundle, resolve_bundle
from MSKSegmentLib.bundle.describe import describe_bundle
from MSKSegmentLib.bundle.describe_tasks import defaults_of, describe_task, describe_tasks
from MSKSegmentLib.commands.cli import cli
from MSKSegmentLib.ct.intensity import HOUNSFIELD
from MSKSegmentLib.errors import BundleError, InputError
from MSKSegmentLib.tasks import DEFAULT_TASK, HIP_THIGH_CT, load_task, stored_task, task_names, task_of_stored
from MSKSegmentLib.tasks.vocabulary import KNOWN_CHECKS, KNOWN_MEASUREMENTS, MEASURED_COLUMNS

BUILT_IN = ("hip-thigh-ct", "lower-limb-mr", "proximal-femur-qct", "trunk-ct")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    monkeypatch.setenv("MSKSEG_TASKS", str(tmp_path))
    write_toy_task(tmp_path)
    return load_task("toy-mr")


def test_the_default_is_what_all_was_before():
    assert HIP_THIGH_CT.table == HIP_AND_THIGH and HIP_THIGH_CT.in_hounsfield
    assert all(HIP_THIGH_CT.shows(column) for column in MEASURED_COLUMNS)
    assert set(HIP_THIGH_CT.checks) == {name for name, kind in KNOWN_CHECKS.items() if "CT" in kind.modalities}
    assert task_names()[0] == DEFAULT_TASK and load_task() is HIP_THIGH_CT


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_tasks_are_whole(name):
    task = load_task(name)
    network, preprocessing = defaults_of(task)
    assert network.classes == task.table.classes
    assert (preprocessing.intensity == HOUNSFIELD) == task.in_hounsfield
    assert task.table.segments and task.words.scan and task.words.report
    assert "volume" in task.measurements


def test_mr_has_no_columns_of_hounsfield_units():
    task = load_task("lower-limb-mr")
    assert task.modality == "MR" and len(task.table.structures) == 23
    for column in ("mean_hu", "fat_percent", "mean_hu_low", "sd_mean_hu"):
        assert not task.shows(column)
    for column in ("volume_cc", "volume_cc_per_m2", "light", "asymmetry_percent"):
        assert task.shows(column)


def test_a_task_of_the_user(toy, tmp_path):
    assert task_names() == (*BUILT_IN, "toy-mr") and toy.table == toy_table()
    # A file of the user is no stand-in for a task that comes along.
    other = TOY_TASK | {"name": "trunk-ct", "title": "Mine"}
    (tmp_path / "trunk-ct.json").write_text(json.dumps(other), encoding="utf-8")
    assert load_task("trunk-ct").title != "Mine"


def test_a_result_keeps_its_task(toy, monkeypatch):
    note = json.loads(json.dumps(stored_task(toy)))
    monkeypatch.delenv("MSKSEG_TASKS")
    with pytest.raises(InputError, match="There is no task 'toy-mr'; choose one of hip-thigh-ct"):
        load_task("toy-mr")
    assert task_of_stored(note, toy.table) == toy
    assert stored_task(HIP_THIGH_CT) == DEFAULT_TASK
    assert task_of_stored(None, HIP_AND_THIGH) is task_of_stored(DEFAULT_TASK, HIP_AND_THIGH) is HIP_THIGH_CT
    assert task_of_stored(None, toy_table()).table == toy_table()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": "x"}, "it is no task"),
        ({"format_version": 9}, "format version 9, and this software reads 1"),
        ({"name": "Toy MR"}, "names are lower-case letters and digits"),
        ({"name": "toy"}, "its name is 'toy', which is not that of its file"),
        ({"modality": "US"}, "its modality is 'US'; possible are CT, MR"),
        ({"structures": "../toy.json"}, "must be the name of a JSON file without a folder"),
        ({"structures": "none.json"}, "none.json lie neither beside it nor with the software"),
        ({"checks": ["taste"]}, "it names the check 'taste'; known are spacing"),
        ({"checks": ["spacing", "spacing"]}, "it names a check twice"),
        ({"checks": ["metal"]}, "the check 'metal' means nothing in MR"),
        ({"measurements": ["mean_hu"]}, "the measurement 'mean_hu' means nothing in MR"),
        ({"measurements": "volume"}, "its measurements are not a list of names"),
        ({"words": {"scan": "MR"}}, "the object 'words' lacks the entry 'region'"),
        ({"words": TOY_TASK["words"] | {"scan": ""}}, "its entry scan of words is ''"),
        ({"network": []}, "its network is not an object"),
        ({"title": 3}, "its title is 3 instead of one line of text"),
        ({"extra": 1}, "it has the unknown entry 'extra'"),
    ],
)
def test_what_is_wrong_with_a_task_is_said(tmp_path, monkeypatch, changes, sentence):
    monkeypatch.setenv("MSKSEG_TASKS", str(tmp_path))
    write_toy_task(tmp_path, **changes)
    with pytest.raises(InputError, match="The task toy-mr.json cannot be used: ") as error:
        load_task("toy-mr")
    assert sentence in str(error.value)
    assert "(unreadable)" in describe_tasks()


def test_faults_of_the_structures_and_of_defaults_are_said(tmp_path, monkeypatch):
    monkeypatch.setenv("MSKSEG_TASKS", str(tmp_path))
    write_toy_task(tmp_path, network={"depth": 3})
    with pytest.raises(InputError, match="its network has the unknown entry 'depth'"):
        describe_task("toy-mr")
    write_toy_task(tmp_path, description="Again, with a faulty table.")
    table = toy_json()
    table["structures"][1]["label"] = 7
    (tmp_path / "toy.json").write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(InputError, match="in toy.json, TAIL has the label 7 but is number 2"):
        load_task("toy-mr")


def test_a_bundle_names_its_task(toy, tmp_path, monkeypatch):
    folder = write_task_bundle(tmp_path / "bundles", "toy-mr")
    bundle = load_bundle(folder)
    assert bundle.task == toy and bundle.table == toy.table
    assert json.loads((folder / "bundle.json").read_text(encoding="utf-8"))["format_version"] == 3
    assert "toy-mr" in describe_bundle(folder) and "intensities (body_percentiles) 0 to 1000" in describe_bundle(folder)
    monkeypatch.setenv("MSKSEG_BUNDLES", str(tmp_path / "bundles"))
    assert resolve_bundle(task="toy-mr").folder == folder
    assert resolve_bundle().manifest.task == DEFAULT_TASK
    with pytest.raises(BundleError, match="is one of the task toy-mr, not of trunk-ct"):
        resolve_bundle(folder, "trunk-ct")
    with pytest.raises(BundleError, match="No model bundle of the task trunk-ct is installed"):
        resolve_bundle(task="trunk-ct")
    monkeypatch.delenv("MSKSEG_TASKS")
    with pytest.raises(BundleError, match="is one of a task that is not at hand. There is no task 'toy-mr'"):
        assert load_bundle(folder).task


def test_task_list_and_show(toy, capsys):
    cli.main(["task", "list"], standalone_mode=False)
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.splitlines()] == ["TASK", *BUILT_IN, "toy-mr"]
    cli.main(["task", "show", "toy-mr"], standalone_mode=False)
    shown = capsys.readouterr().out
    for text in ("A toy leg, MR", "Back of the thigh: Hamstrings", "mr_scale: ", "Toys are no patients.", "classes 6"):
        assert text in shown
    assert "hounsfield_scale" not in shown and KNOWN_MEASUREMENTS["volume"].says in shown

"""Another program as a child process: found in its environment, called as it documents, watched, ended with all it started."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from other_programs import (
    NNUNET,
    add_musclemap_weights,
    add_totalsegmentator_weights,
    make_environment,
    make_trained_folder,
    notes,
    plan,
)

from MSKSegmentLib.bundle.store import MANIFEST_FILE
from MSKSegmentLib.errors import DependencyError, InputError, OtherModelError
from MSKSegmentLib.other_models.adapter import ProgramCall
from MSKSegmentLib.other_models.environments import environment_at
from MSKSegmentLib.other_models.finding import find_other_model, list_models
from MSKSegmentLib.other_models.segmenting import call_program
from MSKSegmentLib.processes import lives
from MSKSegmentLib.settings import OtherModel

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-ins are shell scripts")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = make_environment(tmp_path_factory.mktemp("environments") / "tools", "mm_segment", "TotalSegmentator", NNUNET)
    add_musclemap_weights(folder, "1.3", "1.10")
    return folder


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(add_totalsegmentator_weights(tmp_path / "weights")))


def call(model, folder, volume, device="auto", tell=lambda percent: None, checkpoint=lambda: None):
    place = folder / "call"
    place.mkdir()
    return call_program(model, ProgramCall(place, model.input_name, device), volume, folder / "OUT", tell, checkpoint)


def test_what_is_known_before_a_run(environment, weights, tmp_path):
    musclemap = find_other_model(OtherModel("MuscleMap", str(environment)))
    assert (musclemap.facts.model, musclemap.facts.model_version) == ("wholebody", "1.10")
    total = find_other_model(OtherModel("totalsegmentator", str(environment)))
    assert (total.facts.title, total.facts.version, total.facts.model) == ("TotalSegmentator", "2.18.0", "total")
    folder = make_trained_folder(tmp_path / "Dataset901" / "3d_fullres", {"femur": 1, "sartorius": 2}, folds=("0", "2", "all"))
    trained = find_other_model(OtherModel(str(folder), str(environment)))
    assert trained.names == {1: "femur", 2: "sartorius"} and trained.folds == ("0", "2")
    assert trained.facts.version == "2.8.1" and trained.input_name == "ct_0000.nii.gz"


def test_regions_are_named_by_what_is_written_for_them(environment, tmp_path):
    labels = {"thigh": [1, 2, 3], "femur": [2], "ignore": 4}
    folder = make_trained_folder(tmp_path / "regions", labels, regions_class_order=[1, 2])
    assert find_other_model(OtherModel(str(folder), str(environment))).names == {1: "thigh", 2: "femur"}


MISSING = {
    "no program": (
        ("totalsegmentator", "empty"),
        DependencyError,
        "TotalSegmentator is not installed in the environment 'empty': inst",
    ),
    "no environment": (("musclemap", "nowhere"), InputError, "'nowhere' is no environment of Python"),
    "no weights": (
        ("totalsegmentator", "tools"),
        DependencyError,
        "weights of TotalSegmentator are not on this computer: download the",
    ),
    "no musclemap weights": (("musclemap", "bare"), DependencyError, "weights of MuscleMap are not in the environment 'bare'"),
    "no such model": (
        ("unheard of", None),
        InputError,
        "There is no model unheard of; give musclemap, totalsegmentator, or the folder",
    ),
    "a bundle": (("ours", None), InputError, "is a model bundle of this software; name it with --bundle"),
    "several": (("several", None), InputError, "holds several trained models; name one of them: one, two"),
    "two channels": (("channels", "tools"), InputError, "needs 2 images of a patient"),
    "another format": (("pictures", "tools"), InputError, "reads files that end in '.png'"),
    "a cascade": (("3d_cascade_fullres", "tools"), InputError, "second stage of a cascade"),
    "not trained": (("untrained", "tools"), InputError, "holds no fold_*/checkpoint_final.pth"),
    "without labels": (("unlabelled", "tools"), InputError, "labels in dataset.json of the model 'unlabelled' cannot be read"),
    "a broken bundle": (("monai", None), InputError, "does not say what its labels mean"),
    "a bundle without inputs": (("inputs", None), InputError, "has no output_dir, or neither datalist nor dataset_dir"),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory, environment):
    folder = tmp_path_factory.mktemp("models")
    make_environment(folder / "empty")
    make_environment(folder / "bare", "mm_segment")
    (folder / "tools").symlink_to(environment)
    (folder / "ours").mkdir()
    (folder / "ours" / MANIFEST_FILE).write_text("{}")
    labels = {"femur": 1}
    for name in ("one", "two"):
        make_trained_folder(folder / "several" / name, labels)
    make_trained_folder(folder / "channels", labels, channel_names={"0": "CT", "1": "PET"})
    make_trained_folder(folder / "pictures", labels, ending=".png")
    make_trained_folder(folder / "3d_cascade_fullres", labels)
    make_trained_folder(folder / "untrained", labels, folds=())
    make_trained_folder(folder / "unlabelled", {"femur": "one"})
    named = {"inputs": {"image": {}}, "outputs": {"pred": {"channel_def": {"0": "background", "1": "femur"}}}}
    for name, data in (("monai", {}), ("inputs", {"network_data_format": named})):
        (folder / name / "configs").mkdir(parents=True)
        (folder / name / "configs" / "metadata.json").write_text(json.dumps(data))
        (folder / name / "configs" / "inference.json").write_text("{}")
    return folder


@pytest.mark.parametrize("case", MISSING)
def test_what_is_missing_is_said_in_one_sentence(models, case, tmp_path, monkeypatch):
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(tmp_path))
    monkeypatch.chdir(models)
    (name, environment), error, text = MISSING[case]
    with pytest.raises(error) as raised:
        find_other_model(OtherModel(name, environment))
    assert text in str(raised.value) and str(models) not in str(raised.value)


def test_downloads_are_the_users_to_allow(models, tmp_path, monkeypatch):
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(tmp_path))
    assert find_other_model(OtherModel("totalsegmentator", str(models / "tools"), may_download=True)).weights == tmp_path
    musclemap = find_other_model(OtherModel("musclemap", str(models / "bare"), may_download=True))
    place = ProgramCall(tmp_path, musclemap.input_name)
    assert "--model_version" not in musclemap.command(place)
    kept = find_other_model(OtherModel("musclemap", str(models / "tools"), may_download=True)).command(place)
    assert kept[kept.index("--model_version") + 1] == "1.10"


def test_a_program_is_found_in_path_and_in_the_environment_that_a_variable_names(environment, weights, monkeypatch):
    monkeypatch.setenv("PATH", f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert find_other_model(OtherModel("totalsegmentator")).program.parent == environment / "bin"
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(DependencyError, match="not installed in the folders of PATH"):
        find_other_model(OtherModel("totalsegmentator"))
    monkeypatch.setenv("MSKSEG_MODEL_ENV", str(environment))
    assert find_other_model(OtherModel("totalsegmentator")).facts.version == "2.18.0"
    assert environment_at(None).folder == environment


def test_the_list_names_reasons(models, environment, weights, monkeypatch):
    monkeypatch.setenv("MSKSEG_BUNDLES", str(models / "ours"))
    monkeypatch.setenv(
        "MSKSEG_MODELS", os.pathsep.join([str(models / "several"), str(models / "untrained"), str(models / "absent")])
    )
    found = {model.name: model for model in list_models(str(environment))}
    assert found["totalsegmentator"].version == "2.18.0, model total" and found["totalsegmentator"].is_ready
    assert "model wholebody 1.10" in found["musclemap"].version
    assert found["one"].title == "nnU-Net" and found["one"].is_ready and found["one"].folder == models / "several" / "one"
    assert "holds no fold" in found["untrained"].reason and not found["untrained"].is_ready
    assert found["ours"].is_bundle and found["ours"].reason
    assert [model.name for model in found.values() if model.is_bundle and model.is_ready]
    elsewhere = {model.name: model.reason for model in list_models(str(models / "empty"))}
    assert "MuscleMap is not installed in the environment 'empty'" in elsewhere["musclemap"]


FAILING = {
    "fail": ("failed: it says: RuntimeError: the weights are damaged; all that it said is in OUT-TotalSegmentator.log.", "Loading"),
    "die": ("failed: it was stopped (signal 9), perhaps for lack of memory; all that", ""),
    "nothing": (
        "wrote no label map, and ended with the words: Error processing the image: no slices; all that",
        "Error processing",
    ),
}


@pytest.mark.parametrize("kind", FAILING)
def test_a_program_that_fails_is_quoted_and_its_log_kept(environment, weights, phantom, tmp_path, monkeypatch, kind):
    plan(monkeypatch, tmp_path, kind)
    told, logged = FAILING[kind]
    with pytest.raises(OtherModelError) as raised:
        call(find_other_model(OtherModel("totalsegmentator", str(environment))), tmp_path, phantom)
    assert told in str(raised.value)
    assert logged in (tmp_path / "OUT-TotalSegmentator.log").read_text()


def test_a_program_that_fails_quietly_is_no_success(environment, phantom, tmp_path, monkeypatch):
    # `mm_segment` ends with code 0 when an image fails.
    plan(monkeypatch, tmp_path, "fail")
    with pytest.raises(OtherModelError, match="MuscleMap wrote no label map, and ended with the words: RuntimeError"):
        call(find_other_model(OtherModel("musclemap", str(environment))), tmp_path, phantom, "cpu")


def test_a_program_that_cannot_start_says_so(environment, weights, phantom, tmp_path, monkeypatch):
    model = find_other_model(OtherModel("totalsegmentator", str(environment)))
    broken = make_environment(tmp_path / "broken", "TotalSegmentator") / "bin" / "TotalSegmentator"
    broken.write_text("#!/nowhere/python\n")
    with pytest.raises(OtherModelError, match=r"failed: it could not be started \(No such file"):
        call(type(model)(model.environment, broken, model.facts, model.weights), tmp_path, phantom)


def test_progress_goes_on_while_a_program_works(environment, weights, phantom, tmp_path, monkeypatch):
    note = plan(monkeypatch, tmp_path, "bars", labels=_empty(phantom, tmp_path))
    seen = []

    def tell(percent):
        seen.append(percent)
        if seen.count(37) == 2:
            # The second time, without news.
            note.touch()

    assert call(find_other_model(OtherModel("totalsegmentator", str(environment))), tmp_path, phantom, tell=tell).is_file()
    assert seen[0] == 0 and seen.count(37) >= 2 and set(seen) <= {0, 37}
    (facts,) = notes(note)
    assert facts["home"] is None and facts["python_path"] is None


def test_a_checkpoint_ends_the_program_with_all_that_it_started(environment, weights, phantom, tmp_path, monkeypatch):
    note = plan(monkeypatch, tmp_path, "hang")

    def checkpoint():
        if notes(note):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(find_other_model(OtherModel("totalsegmentator", str(environment))), tmp_path, phantom, checkpoint=checkpoint)
    assert not any(lives(pid) for pid in notes(note)[0]["pids"])


def test_a_program_ends_when_we_are_killed(environment, weights, phantom_file, tmp_path, monkeypatch):
    note = plan(monkeypatch, tmp_path, "hang")
    words = [
        "segment",
        str(phantom_file),
        "-o",
        str(tmp_path / "OUT"),
        "--model",
        "totalsegmentator",
        "--model-env",
        str(environment),
    ]
    run = subprocess.Popen([sys.executable, "-m", "MSKSegmentLib", *words, "--progress", "none"], cwd=ROOT)
    try:
        _wait(lambda: run.poll() is not None or notes(note))
        (facts,) = notes(note)
        run.kill()
        run.wait()
        _wait(lambda: not any(lives(pid) for pid in facts["pids"]))
    finally:
        run.kill()
        run.wait()
    assert not (tmp_path / "OUT").exists()


def _empty(volume, folder):
    import SimpleITK as sitk

    path = folder / "labels.nii.gz"
    sitk.WriteImage(volume.geometry.image_of((volume.hu * 0).astype("uint8")), str(path))
    return path


def _wait(happened, seconds=120):
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        pause.wait(0.05)

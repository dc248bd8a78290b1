"""`mskseg devices`: the device in words, and an estimate that follows the size of the job and comes near the truth."""

import json
import sys

import numpy as np
import pytest

from MSKSegmentLib.bundle import load_bundle
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.inference import devices, estimate
from MSKSegmentLib.inference.devices import Device, available_devices, choose_device
from MSKSegmentLib.inference.estimate import estimate_run, in_words

CPU = Device("cpu", "CPU")


def _grid(slices=60):
    return Geometry((80, 64, slices), (4.0, 4.0, 6.0))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "a few seconds"),
        (11, "about 20 seconds"),
        (49, "about 50 seconds"),
        (56, "about 1 minute"),
        (89, "about 1 minute"),
        (95, "about 2 minutes"),
        (247, "about 4 minutes"),
        (3600, "about 60 minutes"),
        (9000, "about 2.5 hours"),
    ],
)
def test_durations_in_words(seconds, words):
    assert in_words(seconds) == words


def test_devices_have_names_for_people():
    found = available_devices()
    assert found[-1].name == "cpu" and found[0] == choose_device("auto")
    cpu = found[-1].description
    assert cpu.startswith("CPU, ") and "core" in cpu and cpu.endswith("GB")


def test_a_gpu_comes_first_and_is_called_by_its_name(monkeypatch):
    import torch

    class Properties:
        name = "NVIDIA L4"
        total_memory = 24 * 2**30

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: Properties)
    assert [device.name for device in available_devices()] == ["cuda", "cpu"]
    assert choose_device("auto").description == "NVIDIA L4, 24 GB" and choose_device("cpu").name == "cpu"


def test_the_estimate_grows_with_slices_and_passes_as_the_work_does(tiny_bundle, monkeypatch):
    """With a clock that counts the passes, so that no other load on the machine disturbs."""
    from MSKSegmentLib.inference.sampler import Sampler

    ticks = [0]
    real = Sampler._sample

    def counting(self, *arguments):
        ticks[0] += self._passes
        return real(self, *arguments)

    monkeypatch.setattr(Sampler, "_sample", counting)
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: 0.01 * ticks[0])
    bundle = load_bundle(tiny_bundle)
    fixed = estimate._START_S

    def seconds(slices, passes):
        found = estimate_run(bundle, _grid(slices), CPU, passes)
        assert found.passes == passes
        return found.seconds - fixed - estimate._OTHER_S_PER_MILLION_VOXELS * slices * 80 * 64 / 1e6

    assert seconds(60, 1) == pytest.approx(0.01 * 60)
    assert seconds(60, 10) == pytest.approx(0.01 * 60 * 10)
    assert seconds(120, 10) == pytest.approx(0.01 * 120 * 10)
    assert seconds(60, 1000) == pytest.approx(0.01 * 60 * 1000)


def test_preparing_counts_once_for_every_shape_and_the_air_around_the_body_not_at_all(tiny_bundle, monkeypatch):
    """With a clock that counts passes times pixels, and 5 s for every time that a back end is prepared."""
    from MSKSegmentLib.ct.cropping import CoarseBody
    from MSKSegmentLib.inference import predict as prediction
    from MSKSegmentLib.inference.sampler import Sampler

    clock = [0.0]
    real_sample, real_windows = Sampler._sample, prediction.body_windows

    def counting(self, *arguments):
        clock[0] += 0.01 * self._passes
        return real_sample(self, *arguments)

    def preparing(*arguments):
        clock[0] += 5.0
        return real_windows(*arguments)

    monkeypatch.setattr(Sampler, "_sample", counting)
    monkeypatch.setattr(prediction, "body_windows", preparing)
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: clock[0])
    bundle, grid = load_bundle(tiny_bundle), _grid(60)
    rest = estimate._START_S + estimate._OTHER_S_PER_MILLION_VOXELS * 60 * 80 * 64 / 1e6
    assert estimate_run(bundle, grid, CPU, 10).seconds - rest == pytest.approx(5.0 + 0.01 * 60 * 10)
    mask = np.zeros((60, 16, 20), bool)
    mask[:30, 2:14, 2:18] = True
    mask[30:, 6:10, 8:12] = True
    body = CoarseBody(mask, (4, 4, 1), (16.0, 16.0, 6.0), (0, 0, 0))
    shapes, share = estimate._shapes(grid, body, bundle, 10)
    assert shapes >= 2 and 0.2 < share < 0.9
    assert estimate_run(bundle, grid, CPU, 10, grid, body).seconds - rest == pytest.approx(5.0 * shapes + share * 0.01 * 60 * 10)


@pytest.mark.parametrize(
    ("slices", "network_s", "whole_s"), [(150, 10.7, 15.9), (150, 10.0, 14.0), (500, 17.0, 26.3), (500, 15.0, 23.0)]
)
def test_what_lies_around_the_network_is_promised_as_it_was_measured(slices, network_s, whole_s):
    """Against the whole runs on idle cores of benchmarks/RESULTS.md, within a quarter."""
    rest = estimate._START_S + estimate._OTHER_S_PER_MILLION_VOXELS * 512 * 512 * slices / 1e6
    assert network_s + rest == pytest.approx(whole_s, rel=0.25)


def test_only_the_body_counts_for_the_network_and_the_whole_scan_for_the_memory(tiny_bundle):
    bundle = load_bundle(tiny_bundle)
    scan = Geometry((512, 512, 400), (0.8, 0.8, 1.0))
    body = scan.cropped((100, 100, 100), (200, 150, 60))
    part, whole = (estimate_run(bundle, one, CPU, 1, body) for one in (body, scan))
    # 59 mm from the first to the last slice, the network runs every 6 mm.
    assert part.slices == whole.slices == 11
    voxels = 512 * 512 * 400 - 200 * 150 * 60
    assert whole.memory_bytes - part.memory_bytes == pytest.approx(estimate._BYTES_PER_VOXEL * voxels, rel=0.2)


def test_the_command_answers_in_words_and_in_json(tiny_bundle, phantom_file, capsys):
    assert main(["devices", "--bundle", str(tiny_bundle), "--ct", str(phantom_file)]) == 0
    text = capsys.readouterr().out
    assert "Device    CPU, " in text and "\nTime      a" in text and "PyTorch   " in text
    assert main(["devices", "--bundle", str(tiny_bundle), "--ct", str(phantom_file), "--samples", "4", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["device"] == {"name": "cpu", "description": choose_device("cpu").description}
    assert answer["message"] == f"{answer['device']['description']}: {answer['duration']}"
    assert answer["passes"] == 4 and answer["size"] == [80, 64, 24] and answer["bundle"] == "tiny"
    assert answer["device_memory_bytes"] is None and answer["warnings"] == []
    assert answer["seconds"] > 0 and answer["memory_bytes"] > 50e6


def test_too_little_memory_is_said(tiny_bundle, capsys, monkeypatch):
    import psutil

    class Memory:
        total = 4 * 2**30
        available = 2**28

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory)
    grid = ["--size", "512", "512", "--slices", "2000", "--spacing", "1", "1", "1", "--samples", "1"]
    assert main(["devices", "--bundle", str(tiny_bundle), *grid]) == 0
    text = capsys.readouterr().out
    assert "Warning: A run needs about" in text and "0.2 GB are free" in text


def test_too_little_memory_is_said_before_a_run_begins(tiny_bundle, phantom_file, tmp_path, capsys, monkeypatch):
    import psutil

    class Memory:
        total = 2**30
        available = 2**20

    from MSKSegmentLib import pipeline

    def begun(*arguments):
        assert "A run needs about" in capsys.readouterr().err
        raise InputError("As far as this test goes.")

    command = ["segment", str(phantom_file), "-o", str(tmp_path / "out"), "--bundle", str(tiny_bundle), "--progress", "none"]
    monkeypatch.setattr(pipeline, "segment_case", begun)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory)
    assert main(command) == 2 and "As far as" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--slices", "0"], "--slices"),
        (["--spacing", "0", "1", "1"], "--spacing"),
        (["--samples", "0"], "dropout passes"),
        (["--device", "tpu"], "--device"),
        (["--bundle", "no-such-bundle"], "bundle"),
        (["--ct", "nowhere.nii.gz"], "nowhere.nii.gz"),
    ],
)
def test_bad_questions_give_code_2_and_one_sentence(tiny_bundle, capsys, arguments, word):
    bundle = [] if "--bundle" in arguments else ["--bundle", str(tiny_bundle)]
    assert main(["devices", *bundle, *arguments, "--json"]) == 2
    captured = capsys.readouterr()
    assert word in captured.err and captured.err.strip().endswith(".")
    told = json.loads(captured.out)
    assert told["stage"] == "error" and told["exit_code"] == 2 and told["message"] == captured.err.strip()


def test_missing_cuda_is_refused(tiny_bundle, capsys, monkeypatch):
    monkeypatch.setattr(devices, "available_devices", lambda: (CPU,))
    assert main(["devices", "--bundle", str(tiny_bundle), "--device", "cuda"]) == 2
    assert "No CUDA device" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["devices"], ["segment", "{ct}", "-o", "{out}", "--progress", "json"]])
def test_missing_torch_is_one_sentence(command, phantom_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("MSKSegmentLib.inference")]:
        monkeypatch.delitem(sys.modules, name)
    arguments = [word.format(ct=phantom_file, out=tmp_path / "out") for word in command]
    assert main(arguments) == 2
    sentence = capsys.readouterr().err.strip()
    assert sentence.startswith("This command needs PyTorch, which is not installed")
    assert "\n" not in sentence and "Segment" in sentence
    assert not (tmp_path / "out").exists()


def test_waiting_threads_sleep_unless_the_user_wants_otherwise(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "")
    monkeypatch.delenv("OMP_WAIT_POLICY")
    devices.wait_without_spinning()
    assert devices.os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    devices.wait_without_spinning()
    assert devices.os.environ["OMP_WAIT_POLICY"] == "ACTIVE"

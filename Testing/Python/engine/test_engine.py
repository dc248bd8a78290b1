"""The run as a child process: progress lines, exit codes, cancelling at any moment, readable crashes."""

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from MSKSegmentLib.ct.region import Region
from MSKSegmentLib.engine import DevicesRequest, EngineRun, SegmentRequest, process
from MSKSegmentLib.engine.process import _Tail
from MSKSegmentLib.engine.progress import FIRST_STAGE, JUDGING, OTHER_MODEL, STAGES, JsonLines
from MSKSegmentLib.settings import Settings

pytest_plugins = ("warm_children",)
ROOT = Path(__file__).resolve().parents[3]
# Of a run with one network of ours.
OWN_STAGES = [stage for stage in STAGES if stage not in (OTHER_MODEL, JUDGING, FIRST_STAGE)]


def _request(phantom_file, tiny_bundle, output, **options):
    files = {name: options.pop(name) for name in ("scene", "keep_ct") if name in options}
    return SegmentRequest(phantom_file, output, Settings("cpu", seed=1, bundle=str(tiny_bundle), **options), **files)


def _finish(run, timeout=120):
    events, end = [], time.monotonic() + timeout
    while run.exit_code is None:
        assert time.monotonic() < end, "the run did not end"
        events += run.poll()
        time.sleep(0.02)
    return [*events, *run.poll()]


def _nothing_but(folder, *names):
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_a_run_reports_every_slice_and_leaves_a_whole_folder(phantom_file, tiny_bundle, tmp_path):
    roi = (-151.00004, -10.0, -121.0, 140.0, 60.0, 120.0)
    run = EngineRun.segment(_request(phantom_file, tiny_bundle, tmp_path / "out", height_m=1.7, region=Region(roi), keep_ct=True))
    events = _finish(run)
    assert run.exit_code == 0, run.details
    assert run.message.endswith("segments found.")
    stages = list(dict.fromkeys(event.stage for event in events))
    assert stages == OWN_STAGES
    slices = [event for event in events if event.stage == "inference"]
    assert [event.done for event in slices] == list(range(1, slices[-1].total + 1))
    assert slices[-1].eta_s == 0 and all(event.eta_s is not None and event.eta_s >= 0 for event in slices)
    _nothing_but(tmp_path, "out", phantom_file.name)
    content = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert (tmp_path / "out" / "ct.nrrd").exists()
    settings = content["provenance"]["settings"]
    assert settings.pop("region_lps_mm") == pytest.approx(roi, abs=1e-3)
    assert settings == {"passes": 3, "seed": 1, "height_m": 1.7, "lights": "calibrated", "auto_passes": False}
    assert str(tmp_path) not in json.dumps(content)


def test_bad_input_gives_code_2_and_one_sentence(tiny_bundle, tmp_path):
    run = EngineRun.segment(_request(tmp_path / "nowhere.nii.gz", tiny_bundle, tmp_path / "out"))
    _finish(run)
    assert run.exit_code == 2 and run.message.endswith(".") and "\n" not in run.message
    assert "Traceback" not in run.details
    _nothing_but(tmp_path)


@pytest.mark.parametrize("moment", ["start", "reading", "checks", "inference", "segmentation", "writing"])
def test_cancel_at_any_moment_leaves_no_half_result(phantom_file, tiny_bundle, tmp_path, moment, request):
    if moment not in ("start", "inference"):
        request.getfixturevalue("warm_children")
    run = EngineRun.segment(_request(phantom_file, tiny_bundle, tmp_path / "out", passes=40 if moment == "inference" else 3))
    end = time.monotonic() + 120
    while moment != "start" and not any(event.stage == moment for event in run.poll()):
        assert run.exit_code is None and time.monotonic() < end
        time.sleep(0.005)
    code = run.cancel()
    left = {path.name for path in tmp_path.iterdir()} - {phantom_file.name}
    if code == 0:
        # The last moment was missed: then the result is whole.
        assert left == {"out"} and (tmp_path / "out" / "result.json").exists()
    else:
        assert code == 3 and "cancelled" in run.message
        assert left <= {"out"}, left
        if left:
            assert json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))["segments"]
    assert not psutil.pid_exists(run._process.pid) or run._process.poll() is not None


@pytest.mark.usefixtures("warm_children")
def test_a_killed_child_is_a_readable_fault(phantom_file, tiny_bundle, tmp_path):
    run = EngineRun.segment(_request(phantom_file, tiny_bundle, tmp_path / "out", passes=200))
    while not any(event.stage == "inference" for event in run.poll()):
        assert run.exit_code is None
        time.sleep(0.01)
    os.kill(run._process.pid, signal.SIGKILL)
    run.wait(30)
    assert run.exit_code not in (0, 2, 3) and "unexpectedly" in run.message
    assert not (tmp_path / "out").exists()


def test_a_crash_in_python_says_what_failed(tmp_path, monkeypatch):
    crash = tmp_path / "sitecustomize.py"
    crash.write_text(
        "import MSKSegmentLib.commands.segment as cli\n"
        "def broken(**_): raise ZeroDivisionError('planned')\n"
        "cli.command.callback = broken\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    run = EngineRun(["segment", "x", "-o", str(tmp_path / "out"), "--progress", "json"])
    assert run.wait(60) == 1
    assert "failed unexpectedly (ZeroDivisionError)" in run.message and "planned" in run.details


def test_cancel_ends_the_whole_tree(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'segment' in sys.argv:\n"
        "    import subprocess, MSKSegmentLib.commands.segment as cli, time\n"
        "    def long(**_):\n"
        "        child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        "        print('child', child.pid, file=sys.stderr, flush=True)\n"
        "        time.sleep(60)\n"
        "    cli.command.callback = long\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    run = EngineRun(["segment", "x", "-o", str(tmp_path / "out"), "--progress", "json"])
    end = time.monotonic() + 60
    while "child" not in run.details:
        assert time.monotonic() < end and run.exit_code is None, run.details
        time.sleep(0.02)
    grandchild = int(run.details.split()[1])
    assert run.cancel() == 3
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("collected", [True, False], ids=["collected", "left as a zombie"])
def test_the_child_ends_when_its_parent_dies(phantom_file, tiny_bundle, tmp_path, collected):
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from MSKSegmentLib.engine import EngineRun, SegmentRequest\n"
        "from MSKSegmentLib.settings import Settings\n"
        f"run = EngineRun.segment(SegmentRequest(Path({str(phantom_file)!r}), Path({str(tmp_path / 'out')!r}),"
        f" Settings('cpu', passes=1000, bundle={str(tiny_bundle)!r})))\n"
        "while not any(e.stage == 'inference' for e in run.poll()): time.sleep(0.02)\n"
        "print(run._process.pid, flush=True)\n"
        "import os; os._exit(0)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    if collected:
        parent.wait(120)
    end = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "the child outlived its parent"
        time.sleep(0.1)
    parent.communicate()
    _nothing_but(tmp_path, phantom_file.name)


@pytest.mark.usefixtures("warm_children")
def test_asking_for_devices_gives_an_answer_and_a_sentence(tiny_bundle):
    run = EngineRun.devices(DevicesRequest((60, 50, 40), (4.0, 4.0, 6.0), str(tiny_bundle), passes=2, device="cpu"))
    assert run.answer == {} and run.message == ""
    assert _finish(run) == [] and run.exit_code == 0, run.details
    assert run.answer["size"] == [60, 50, 40] and run.answer["spacing_mm"] == [4.0, 4.0, 6.0] and run.answer["passes"] == 2
    assert run.message == run.answer["message"] and run.message.startswith("CPU, ")
    wrong = EngineRun.devices(DevicesRequest(bundle="no-such-bundle"))
    _finish(wrong)
    assert wrong.exit_code == 2 and wrong.answer == {} and "no-such-bundle" in wrong.message


def test_nothing_needs_a_thread_and_no_output_can_block_the_child(tmp_path, monkeypatch):
    """An application's own event loop may not let other threads run, and polls seldom."""
    (tmp_path / "sitecustomize.py").write_text(
        "import MSKSegmentLib.commands.check as cli, sys\n"
        "def chatty(**_):\n"
        "    for k in range(20000): print('x' * 99); print('e' * 99, file=sys.stderr)\n"
        "cli.command.callback = chatty\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    before = threading.active_count()
    run = EngineRun(["check", "x"])
    assert threading.active_count() == before
    assert run.wait(60) == 0
    assert run.poll() == [] and len(run.details) == 2 * 20000 * 100


def test_lines_are_read_whole_even_when_written_in_pieces(tmp_path):
    tail, file = _Tail(tmp_path / "lines"), (tmp_path / "lines").open("wb")
    with file:
        file.write("Müller".encode()[:2])
        file.flush()
        assert tail.read(ended=False) == []
        file.write("Müller".encode()[2:] + b"\nnext")
        file.flush()
        assert tail.read(ended=False) == ["Müller\n"]
        assert tail.read(ended=True) == ["next"] and tail.read(ended=True) == []


@pytest.fixture
def launcher(tmp_path):
    """As PythonSlicer: a program that starts the interpreter as a child of its own and waits for it."""
    if os.name != "posix":
        pytest.skip("the launcher of this test is a shell script")
    script = tmp_path / "launcher"
    script.write_text(f'#!/bin/sh\n"{sys.executable}" "$@" &\nwait $!\n')
    script.chmod(0o755)
    return script


@pytest.mark.slow
def test_a_run_works_through_a_launcher(launcher, phantom_file, tiny_bundle, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"FROM_TEST": "1"}
    run = EngineRun.segment(_request(phantom_file, tiny_bundle, tmp_path / "out"), str(launcher), environment)
    events = _finish(run)
    assert run.exit_code == 0 and list(dict.fromkeys(event.stage for event in events)) == OWN_STAGES, run.details
    content = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert content["provenance"]["settings"]["region_lps_mm"] is None and not (tmp_path / "out" / "ct.nrrd").exists()
    bad = EngineRun.segment(_request(tmp_path / "nowhere.nii", tiny_bundle, tmp_path / "bad"), str(launcher))
    _finish(bad)
    assert bad.exit_code == 2 and "nowhere.nii" in bad.message


@pytest.mark.parametrize("moment", ["reading", "inference", "killed"])
def test_cancel_behind_a_launcher_ends_the_interpreter_and_leaves_nothing(
    launcher, phantom_file, tiny_bundle, tmp_path, monkeypatch, moment
):
    if moment == "killed":
        # A run that does not clean up by itself in time, in the middle of writing.
        monkeypatch.setattr(process, "GRACE_S", 0.5)
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "sitecustomize.py").write_text(
            "import signal, sys, time\n"
            "if 'segment' in sys.argv:\n"
            "    from pathlib import Path\n"
            "    import MSKSegmentLib.commands.segment as cli, MSKSegmentLib.output.staging as staging\n"
            "    def stuck(output, **_):\n"
            "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "        (output.parent / staging.hidden_name(staging.PARTIAL)).mkdir()\n"
            "        print('fell ' + 'asleep', file=sys.stderr, flush=True)\n"
            "        time.sleep(60)\n"
            "    cli.command.callback = stuck\n"
        )
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{ROOT}")
    run = EngineRun.segment(_request(phantom_file, tiny_bundle, tmp_path / "out", passes=200), str(launcher))
    end = time.monotonic() + 60
    while moment != "killed" and not any(event.stage == moment for event in run.poll()):
        assert time.monotonic() < end and run.exit_code is None, run.details
        time.sleep(0.01)
    while moment == "killed" and "fell asleep" not in run.details:
        assert time.monotonic() < end and run.exit_code is None, run.details
        time.sleep(0.01)
    below = psutil.Process(run._process.pid).children(recursive=True)
    assert below and (moment != "killed" or any(".mskseg-" in path.name for path in tmp_path.iterdir()))
    assert run.cancel() == 3 and "cancelled" in run.message
    assert not psutil.wait_procs(below, timeout=5)[1]
    _nothing_but(tmp_path, phantom_file.name, "launcher", *(["site"] if moment == "killed" else []))


def test_temporary_files_vanish_with_the_run(tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = EngineRun(["bundle", "list"])
    assert run.wait(60) == 0 and list(tmp_path.iterdir())
    del run
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_json_lines_estimate_the_rest(capsys):
    lines = JsonLines()
    for done in range(3):
        lines.step("inference", done, 4)
    first, _, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["eta_s"] is None and last["eta_s"] >= 0 and last["done"] == 2 and last["total"] == 4

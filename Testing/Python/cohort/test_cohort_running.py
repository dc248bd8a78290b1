"""A study is run with a stand-in for the engine: ends of all kinds, limits, kills, lost workers, additions and corrections."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from cohort_cases import ON_POSIX, calls_of, fake_python, run_options, write_scans
from pyarrow import parquet

from MSKSegmentLib.cohort import study_report
from MSKSegmentLib.cohort.limits import RunLimits
from MSKSegmentLib.cohort.progress import status_line
from MSKSegmentLib.cohort.records import CaseState, read_record
from MSKSegmentLib.cohort.running import run_cases
from MSKSegmentLib.cohort.source import find_cases
from MSKSegmentLib.cohort.study import existing_study, open_study
from MSKSegmentLib.cohort.study_report import write_study_report
from MSKSegmentLib.cohort.tables import write_tables
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.processes import lives
from MSKSegmentLib.settings import Settings

pytestmark = pytest.mark.skipif(not ON_POSIX, reason="the stand-in for the engine is a script that POSIX starts")
HELPERS = Path(__file__).parents[1] / "helpers"


@pytest.fixture
def script(tmp_path):
    folder = tmp_path / "engine"
    folder.mkdir()
    return fake_python(folder)


def _run(tmp_path, script, **options):
    study = open_study(tmp_path / "study", Settings())
    cases = find_cases(tmp_path / "scans")
    progress = run_cases(study, cases, run_options(script, **options))
    return study, cases, progress.records


def _ends(records):
    return {name: (record.state.value, record.attempts) for name, record in records.items()}


def _rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_kind_of_end_is_stored_once_and_tabled(tmp_path, script, monkeypatch):
    monkeypatch.setattr(study_report, "SHOWN_AT_ONCE", 2)
    write_scans(tmp_path / "scans", "good_1", "good_2", "flaky_1", "crash_1", "refused_<b>")
    study, cases, records = _run(tmp_path, script)
    refused = next(name for name in records if name.startswith("refused"))
    ends = {"good_1": ("done", 1), "good_2": ("done", 1), "flaky_1": ("done", 2), "crash_1": ("failed", 2), refused: ("refused", 1)}
    assert _ends(records) == ends
    calls = Counter(calls_of(script))
    assert calls["segment good_1"] == calls["slices good_1"] == 1 and calls["segment crash_1"] == calls["segment flaky_1"] == 2
    # The second attempts come last, when nothing runs beside them.
    assert {call.split()[1] for call in calls_of(script)[-3:]} == {"crash_1", "flaky_1"}
    assert not list(study.running("").parent.iterdir())
    assert "a line for the developers" in (study.root / "logs" / "crash_1.txt").read_text()

    write_study_report(study, records, write_tables(study, cases, records))
    measured = parquet.read_table(study.root / "measurements.parquet").to_pylist()
    assert len(measured) == 3 * 43 == len(_rows(study.root / "measurements.csv"))
    assert {row["case"] for row in measured} == {"good_1", "good_2", "flaky_1"}
    own = _rows(study.result("good_1") / "measurements.csv")
    for row, stored in zip((row for row in measured if row["case"] == "good_1"), own, strict=True):
        assert (row["abbreviation"], row["side"], row["light"]) == (stored["abbreviation"], stored["side"], stored["light"])
        assert row["volume_cc"] == (pytest.approx(float(stored["volume_cc"]), rel=1e-3) if stored["volume_cc"] else None)
    assert parquet.read_table(study.root / "slices.parquet").num_rows == 3 * parquet.read_table(study.slices("good_1")).num_rows
    assert {row["state"] for row in _rows(study.root / "cases.csv")} == {"done", "failed", "refused"}
    assert {row["case"]: row["same_voxels_as"] for row in _rows(study.root / "cases.csv")}["good_2"]
    failures = {row["case"]: row["sentence"] for row in _rows(study.root / "failures.csv")}
    assert failures == {name: records[name].sentence for name in ("crash_1", refused)} and all(failures.values())
    review = _rows(study.root / "review.csv")
    harms = [float(row["expected_harm"]) for row in review]
    assert review and harms == sorted(harms, reverse=True)
    page = study.report.read_text(encoding="utf-8")
    assert "Gluteus maximus" in page and records["crash_1"].sentence in page and "<b>" not in page.replace("<div><b>", "")
    # The first are seen at once, the others unfold; who segmented is named.
    assert page.index("<details>") < page.index(f"The next {len(review) - 2}<") < page.index("</details>")
    assert '<td>another segmentation</td><td>not rated</td><td class="n">3</td>' in page
    assert "http-equiv" not in study.progress.read_text(encoding="utf-8")

    before = calls_of(script)
    _, _, again = _run(tmp_path, script)
    assert again == records and calls_of(script) == before
    write_scans(tmp_path / "scans", "good_3")
    _, _, more = _run(tmp_path, script, retry_failed=True)
    assert more["good_3"].state is CaseState.DONE and {name: more[name] for name in ("good_1", "good_2")} == {
        name: records[name] for name in ("good_1", "good_2")
    }
    assert Counter(calls_of(script)[len(before) :])["segment crash_1"] == 2


def test_a_corrected_result_is_measured_anew_and_not_segmented(tmp_path, script):
    write_scans(tmp_path / "scans", "good_1")
    study, _, first = _run(tmp_path, script)
    content = study.result("good_1") / "result.json"
    content.write_text(content.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert "1 waiting" in status_line(study)
    _, _, second = _run(tmp_path, script)
    assert calls_of(script) == ["segment good_1", "slices good_1", "slices good_1"]
    assert second["good_1"].result_stamp == study.result_stamp("good_1") != first["good_1"].result_stamp


def test_a_case_that_changes_is_run_again(tmp_path, script):
    write_scans(tmp_path / "scans", "good_1")
    study = open_study(tmp_path / "study", Settings())
    cases = find_cases(tmp_path / "scans")
    run_cases(study, cases, run_options(script))
    run_cases(study, [replace(case, height_cm=163.0) for case in cases], run_options(script))
    assert calls_of(script).count("segment good_1") == 2


@pytest.mark.parametrize(("name", "limits"), [("slow_1", RunLimits(0.5)), ("huge_1", RunLimits(120, 150 << 20))])
def test_limits_end_a_case_with_a_sentence(tmp_path, script, name, limits):
    write_scans(tmp_path / "scans", name, "good_1")
    study, _, records = _run(tmp_path, script, limits=limits)
    assert records["good_1"].state is CaseState.DONE or name == "slow_1"
    record = read_record(study, name)
    assert record == records[name] and record.state is CaseState.FAILED and record.attempts == 2
    assert "and was ended; give it more with --" in record.sentence and not study.result(name).exists()


# Two workers are held up by the slow cases; the third is lost, starts anew, and takes what it was lost with.
CHILD = """
import sys
from pathlib import Path
sys.path[:0] = [{helpers!r}, {testing!r}]
from cohort_cases import run_options
from MSKSegmentLib.cohort.running import run_cases
from MSKSegmentLib.cohort.source import find_cases
from MSKSegmentLib.cohort.study import open_study
from MSKSegmentLib.settings import Settings
if __name__ == "__main__":
    study = open_study(Path({study!r}), Settings())
    with study.locked():
        run_cases(study, find_cases(Path({scans!r})), run_options(Path({script!r}), processes=True, workers=3))
"""


def test_a_lost_worker_and_a_killed_run_cost_nothing_that_was_done(tmp_path, script):
    scans = write_scans(tmp_path / "scans", "good_1", "lost_1", "slow_1", "slow_2")
    program = tmp_path / "program.py"
    places = {"helpers": str(HELPERS), "testing": str(HELPERS.parent), "study": str(tmp_path / "study")}
    program.write_text(CHILD.format(**places, scans=str(scans), script=str(script)))
    # Dask's own patience with a worker that starts anew: none, as on a computer where that takes longer than it waits.
    environment = {**os.environ, "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "1ms"}
    run = subprocess.Popen([sys.executable, str(program)], stderr=subprocess.DEVNULL, env=environment)
    end = time.monotonic() + 300
    records = tmp_path / "study" / "records"
    try:
        while not {"good_1.json", "lost_1.json"} <= set(os.listdir(records) if records.is_dir() else ()):
            assert time.monotonic() < end and run.poll() is None
            time.sleep(0.05)
        while len(list(script.parent.glob("pid_slow_*"))) < 2:
            assert time.monotonic() < end and run.poll() is None
            time.sleep(0.05)
        study = existing_study(tmp_path / "study")
        with pytest.raises(InputError, match="Another run fills the study"), study.locked():
            pass
        assert status_line(study) == "4 cases: 2 waiting, 2 done; begun: slow_1, slow_2"
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    # With the run its workers end, and with these the children.
    pids = [int((script.parent / f"pid_{name}").read_text()) for name in ("slow_1", "slow_2")]
    while any(lives(pid) for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.05)
    # A run that was killed after its result was whole, before its record: as good as done.
    (script.parent / "gate").touch()
    done = {name: read_record(study, name) for name in ("good_1", "lost_1")}
    result = script.parent / "result"
    subprocess.run(["cp", "-r", str(result), str(study.result("slow_1"))], check=True)
    before = len(calls_of(script))
    with study.locked():
        progress = run_cases(study, find_cases(scans), run_options(script))
    assert {record.state for record in progress.records.values()} == {CaseState.DONE}
    assert {name: progress.records[name] for name in done} == done and done["lost_1"].attempts == 1
    assert sorted(calls_of(script)[before:]) == ["segment slow_2", "slices slow_1", "slices slow_2"]


def test_a_study_of_other_settings_or_another_folder_is_refused(tmp_path):
    open_study(tmp_path / "study", Settings(passes=5))
    with pytest.raises(InputError, match="--samples 5"):
        open_study(tmp_path / "study", Settings(passes=6))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    for ask in (lambda: open_study(tmp_path / "mine", Settings()), lambda: existing_study(tmp_path / "mine")):
        with pytest.raises(InputError):
            ask()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]

"""A run that is cancelled while it tries whether its result could be written leaves nothing of the trial."""

import os
import time
from pathlib import Path

import pytest

from MSKSegmentLib.engine import EngineRun, SegmentRequest, process

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("held", ["until it is asked to stop", "beyond the grace"])
def test_cancel_while_the_output_folder_is_tried_leaves_no_empty_folder(tmp_path, monkeypatch, held):
    """A trial makes the folder; on a busy machine the run may be stopped right then, or be killed before it has cleaned up."""
    monkeypatch.setattr(process, "GRACE_S", 0.5 if held == "beyond the grace" else 20.0)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import signal, sys, time\n"
        "if 'segment' in sys.argv:\n"
        "    import MSKSegmentLib.output.places as places\n"
        "    remove = places.remove_empty\n"
        "    def slow(folders):\n"
        "        places.remove_empty = remove\n"
        f"        if {held!r} == 'beyond the grace': signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "        print('about to remove ' + 'it', file=sys.stderr, flush=True)\n"
        "        time.sleep(60)\n"
        "        remove(folders)\n"
        "    places.remove_empty = slow\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{ROOT}")
    run = EngineRun.segment(SegmentRequest(tmp_path / "ct.nii.gz", tmp_path / "new" / "out"))
    end = time.monotonic() + 60
    while "about to remove it" not in run.details:
        assert run.exit_code is None and time.monotonic() < end, run.details
        time.sleep(0.01)
    assert (tmp_path / "new" / "out").is_dir()
    assert run.cancel() == 3
    assert [path.name for path in tmp_path.iterdir()] == ["site"]

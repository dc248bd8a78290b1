"""Folders of results: filled and never replaced, whole after a crash, and nobody's data lost."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from output_folders import OWNED, ROOT, content, fill, posix, run, whole

from MSKSegmentLib.errors import Cancelled, InputError
from MSKSegmentLib.output import filling, staging
from MSKSegmentLib.output.filling import clean_up, recover, whole_folder


def test_the_working_folder_stays_the_same_folder(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    before = os.stat(".")
    for text in ("first", "second"):
        fill(Path("."), text)
        assert os.path.samestat(before, os.stat(".")) and content(Path(".")) == whole(text)
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_what_is_not_ours_stays_and_what_is_outdated_goes(tmp_path):
    folder = tmp_path / "out"
    fill(folder, "first", ("a.txt", "old.txt", "marker.json"))
    (folder / "thesis.txt").write_text("years of work")
    (folder / "notes").mkdir()
    (folder / "notes" / "old.txt").write_text("mine")
    fill(folder, "second")
    assert (folder / "thesis.txt").read_text() == "years of work" and (folder / "notes" / "old.txt").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "b.txt", "marker.json", "notes", "thesis.txt"]
    assert (folder / "a.txt").read_text() == "second"


def test_a_failed_write_leaves_what_was_there(tmp_path):
    fill(tmp_path / "out", "first")
    for folder in (tmp_path / "out", tmp_path / "new" / "deep"):
        with pytest.raises(InputError, match="No space left"), whole_folder(folder, "thing", "marker.json", OWNED) as partial:
            (partial / "a.txt").write_text("half")
            raise OSError(28, "No space left on device")
    assert content(tmp_path / "out") == whole("first") and [path.name for path in tmp_path.iterdir()] == ["out"]


KILLED = """
import os, signal, sys
from pathlib import Path
from MSKSegmentLib.output import filling
count, limit = 0, int(sys.argv[2])
def counted(function):
    def call(*arguments, **named):
        global count
        count += 1
        if count == limit:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return call
for owner, name in ((os, "replace"), (Path, "rename"), (Path, "unlink"), (Path, "rmdir"), (Path, "mkdir"), (filling, "_flush")):
    setattr(owner, name, counted(getattr(owner, name)))
with filling.whole_folder(Path(sys.argv[1]), "thing", "marker.json", ("a.txt", "b.txt", "old.txt", "marker.json")) as partial:
    for name in ("a.txt", "b.txt", "marker.json"):
        (partial / name).write_text("new")
print("ended", flush=True)
"""


@posix
@pytest.mark.parametrize("existing", [True, False], ids=["replaced", "new"])
def test_killed_at_any_moment_old_or_new_is_whole(tmp_path, existing):
    old = dict.fromkeys(("a.txt", "old.txt", "marker.json"), "old")
    seen, before = set(), f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    for moment in range(1, 60):
        folder = tmp_path / str(moment) / "out"
        folder.parent.mkdir()
        if existing:
            folder.mkdir()
            for name, text in {**old, "thesis.txt": "mine"}.items():
                (folder / name).write_text(text)
        ended = run(before + KILLED, folder, moment).stdout.strip() == "ended"
        recover(folder)
        found = content_of_files(folder)
        if existing:
            assert found.pop("thesis.txt") == "mine"
        assert found in (old if existing else {}, whole("new")), (moment, found)
        seen.add(found.get("marker.json"))
        if ended:
            break
        # The next run removes what the killed one has left.
        fill(folder, "third")
        found = content(folder)
        found.pop("thesis.txt", None)
        assert found == whole("third"), moment
        assert [path.name for path in folder.parent.iterdir()] == ["out"], moment
    assert ended and seen == {"old" if existing else None, "new"} and moment > (12 if existing else 6)


def content_of_files(folder):
    found = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    return {path.name: path.read_text() for path in found}


@pytest.mark.parametrize("existing", [True, False], ids=["replaced", "new"])
def test_cancelled_at_any_moment_old_or_new_is_whole_at_once(tmp_path, monkeypatch, existing):
    real_calls = [(os, "replace"), (Path, "rename"), (Path, "unlink"), (Path, "rmdir"), (filling, "_flush")]
    outcomes = set()
    for moment in range(1, 60):
        folder, count = tmp_path / f"{existing}{moment}" / "out", 0
        if existing:
            fill(folder, "old", ("a.txt", "old.txt", "marker.json"))

        def stopping(function, moment=moment):
            def call(*arguments, **named):
                nonlocal count
                count += 1
                # A second signal is ignored by the command line.
                if count == moment:
                    raise Cancelled("The run was cancelled; nothing was written.")
                return function(*arguments, **named)

            return call

        with monkeypatch.context() as patch:
            for owner, name in real_calls:
                patch.setattr(owner, name, stopping(getattr(owner, name)))
            try:
                fill(folder, "new")
                cancelled = False
            except Cancelled:
                cancelled = True
        found = content(folder) if folder.exists() else {}
        old = dict.fromkeys(("a.txt", "old.txt", "marker.json"), "old") if existing else {}
        assert found == (old if cancelled else whole("new")), moment
        outcomes.add(cancelled)
        if count < moment:
            break
    assert outcomes == {True, False}


def test_what_cannot_be_put_in_place_is_kept_and_named(tmp_path, monkeypatch):
    """As on Windows, where a table that is open in another program cannot be replaced."""
    folder = tmp_path / "out"
    fill(folder, "first")

    def locked(real, owned):
        raise PermissionError(13, "a.txt is open in another program", "a.txt")

    monkeypatch.setattr(filling, "check_replaceable", locked)
    with pytest.raises(InputError, match=r"The thing is whole in 'out-2', not in 'out': a\.txt is open in another program"):
        fill(folder, "second")
    assert content(folder) == whole("first") and content(tmp_path / "out-2") == whole("second")


def test_a_review_that_began_during_the_run_keeps_its_folder(tmp_path):
    fill(tmp_path / "out", "first")

    def reviewed(real):
        raise InputError("The result in 'out' has been reviewed; name another folder with -o.")

    with pytest.raises(InputError, match="is whole in 'out-2', not in 'out': the result in 'out' has been reviewed"):
        fill(tmp_path / "out", "second", check=reviewed)
    assert content(tmp_path / "out") == whole("first") and content(tmp_path / "out-2") == whole("second")


def test_a_failure_in_the_middle_of_the_exchange_is_ended_later(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    fill(folder, "first")
    replace = os.replace

    def failing(source, target):
        if Path(target).name == "b.txt":
            raise PermissionError(13, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(InputError, match="put there when the folder is used again"):
        fill(folder, "second")
    with pytest.raises(InputError, match="stopped, and this cannot be ended"):
        recover(folder)
    monkeypatch.undo()
    assert recover(folder) and content(folder) == whole("second") and not recover(folder)


def test_two_that_end_the_same_exchange_do_no_harm(tmp_path):
    for number in range(20):
        folder = tmp_path / str(number)
        fill(folder, "old")
        ready = folder / staging.hidden_name(staging.READY)
        ready.mkdir()
        for name, text in {**whole("new"), ".plan.json": '{"marker": "marker.json", "remove": []}'}.items():
            (ready / name).write_text(text)
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + textwrap.dedent(
        """
        from pathlib import Path
        from MSKSegmentLib.output.filling import recover
        for number in range(20):
            recover(Path(sys.argv[1]) / str(number))
        """
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    assert all(content(tmp_path / str(number)) == whole("new") for number in range(20))


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path):
    here = staging.hidden_name("partial").split("-")[1]
    dead = subprocess.Popen([sys.executable, "-S", "-c", ""])
    dead.wait()
    names = {
        "living": f".mskseg-{here}-{os.getppid()}-aaaa.partial",
        "dead": f".mskseg-{here}-{dead.pid}-bbbb.partial",
        "elsewhere": f".mskseg-00000000-{dead.pid}-cccc.partial",
        "elsewhere, old": f".mskseg-00000000-{dead.pid}-dddd.partial",
        "mine": ".mskseg-notes",
    }
    for name in names.values():
        (tmp_path / name).mkdir()
    os.utime(tmp_path / names["elsewhere, old"], (time.time() - 2 * 86400,) * 2)
    fill(tmp_path / "out", "new")
    left = {path.name for path in tmp_path.iterdir()} - {"out"}
    assert left == {names["living"], names["elsewhere"], names["mine"]}


def test_clean_up_after_a_kill_removes_that_runs_files_alone(tmp_path, monkeypatch):
    mine = {}
    for run_name in ("aaaa1111", "bbbb2222"):
        monkeypatch.setenv(staging.RUN_VARIABLE, run_name)
        mine[run_name] = tmp_path / staging.hidden_name(staging.PARTIAL)
        mine[run_name].mkdir()
    clean_up(tmp_path / "not" / "yet", "aaaa1111")
    assert not mine["aaaa1111"].exists() and mine["bbbb2222"].exists()

"""Folders for results: filled and never replaced, tried out before the work, whole after a crash, and nobody's data lost."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from MSKSegmentLib.errors import Cancelled, InputError
from MSKSegmentLib.output import filling, staging
from MSKSegmentLib.output.filling import clean_up, recover, whole_folder
from MSKSegmentLib.output.names import fresh_path, safe_name, with_ending
from MSKSegmentLib.output.places import check_new_folder, check_no_file, check_place, check_space, resolved
from MSKSegmentLib.results.result_folder import check_output

ROOT = Path(__file__).resolve().parents[3]
OWNED = ("a.txt", "b.txt", "old.txt", "marker.json")
posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")


def fill(folder, text, names=("a.txt", "b.txt", "marker.json"), **options):
    with whole_folder(folder, "thing", "marker.json", OWNED, **options) as partial:
        for name in names:
            (partial / name).write_text(text)


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def whole(text):
    return dict.fromkeys(("a.txt", "b.txt", "marker.json"), text)


def as_nobody(code, *arguments):
    """Run code as a user without rights; returns its output."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    # Python itself may lie where only root may read.
    begin = f"import os, sys; sys.path.insert(0, {str(ROOT)!r})\n"
    begin += "import MSKSegmentLib.output.filling, MSKSegmentLib.results.result_folder\n"
    begin += "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    return run(begin + textwrap.dedent(code), *arguments)


def run(code, *arguments, before=()):
    command = [*before, sys.executable, "-B", "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=60)


TRY = """
import sys
from pathlib import Path
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.output.filling import whole_folder
from MSKSegmentLib.output.places import check_place, resolved
from MSKSegmentLib.results.result_folder import check_output
folder = Path(sys.argv[1])
try:
    check_place(resolved(folder), ("a.txt", "marker.json"))
    print("accepted", flush=True)
    with whole_folder(folder, "thing", "marker.json", ("a.txt", "marker.json")) as partial:
        for name in ("a.txt", "b.txt", "marker.json"):
            (partial / name).write_text("new")
    print("written", flush=True)
except InputError as error:
    print("refused:", error, flush=True)
"""


@posix
def test_a_link_stays_and_what_it_leads_to_is_filled(tmp_path):
    (tmp_path / "drive").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "drive")
    for text in ("first", "second"):
        fill(tmp_path / "out", text)
        assert (tmp_path / "out").is_symlink() and content(tmp_path / "drive") == whole(text)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drive", "out"]


@posix
def test_a_link_to_nothing_yet_gets_its_folder(tmp_path):
    (tmp_path / "out").symlink_to(tmp_path / "not" / "there" / "yet")
    fill(tmp_path / "out", "new")
    assert (tmp_path / "out").is_symlink() and content(tmp_path / "not" / "there" / "yet") == whole("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["not", "out"]


@posix
def test_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(InputError, match="circle"):
        resolved(tmp_path / "a")


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


@posix
def test_a_folder_whose_parent_is_closed_can_be_filled(tmp_path):
    parent = tmp_path / "closed"
    (parent / "out").mkdir(parents=True)
    os.chmod(parent / "out", 0o777)
    for place in (parent, *parent.parents):
        if place == Path("/tmp"):
            break
        os.chmod(place, 0o755)
    done = as_nobody(TRY, parent / "out")
    assert done.stdout.split() == ["accepted", "written"], done.stdout + done.stderr
    assert content(parent / "out") == whole("new")
    again = as_nobody(TRY, parent / "out")
    assert again.stdout.split() == ["accepted", "written"], again.stdout
    refused = as_nobody(TRY, parent / "other")
    assert refused.stdout.startswith("refused: Nothing can be written to the folder 'other'"), refused.stdout
    assert [path.name for path in parent.iterdir()] == ["out"]


@posix
def test_sticky_folders(tmp_path):
    for place in (tmp_path, *tmp_path.parents):
        if place == Path("/tmp"):
            break
        os.chmod(place, 0o755)
    sticky = tmp_path / "sticky"
    sticky.mkdir()
    os.chmod(sticky, 0o1777)
    done = as_nobody(TRY, sticky / "out")
    assert done.stdout.split() == ["accepted", "written"] and content(sticky / "out") == whole("new"), done.stderr
    # Inside of it, files of somebody else cannot be replaced: said before the run.
    (sticky / "a.txt").write_text("root's")
    refused = as_nobody(TRY, sticky)
    assert "a.txt belongs to somebody else" in refused.stdout and (sticky / "a.txt").read_text() == "root's"
    assert sorted(path.name for path in sticky.iterdir()) == ["a.txt", "out"]


def in_namespace(script, *arguments):
    """A shell script as root of a user namespace of its own, where it may mount."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-euc", textwrap.dedent(script), "sh", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    if "ounting failed" in done.stderr or "ermission denied" in done.stderr:
        pytest.skip("nothing can be mounted here")
    return done


def test_a_mount_point_is_filled(tmp_path):
    (tmp_path / "volume").mkdir()
    (tmp_path / "try.py").write_text(TRY)
    script = """
        mount -t tmpfs -o size=4m none "$1/volume"
        mkdir "$1/volume/lost+found"
        "$2" "$1/try.py" "$1/volume"; "$2" "$1/try.py" "$1/volume"
        ls -A "$1/volume"
    """
    done = in_namespace(script, tmp_path, sys.executable)
    assert done.stdout.split() == ["accepted", "written"] * 2 + ["a.txt", "b.txt", "lost+found", "marker.json"], done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["try.py", "volume"]


def test_a_read_only_mount_and_a_full_one_are_refused_before_the_run(tmp_path):
    (tmp_path / "volume").mkdir()
    (tmp_path / "try.py").write_text(TRY)
    script = """
        mount -t tmpfs -o size=64k none "$1/volume"
        mkdir "$1/volume/out"
        cat /dev/zero > "$1/volume/zeros" 2>/dev/null || true
        "$2" "$1/try.py" "$1/volume/out"
        mount -o remount,ro "$1/volume"
        "$2" "$1/try.py" "$1/volume/out"; "$2" "$1/try.py" "$1/volume/new"
        ls -A "$1/volume" "$1/volume/out"
    """
    done = in_namespace(script, tmp_path, sys.executable)
    full, fixed, new = done.stdout.splitlines()[:3]
    assert full.startswith("refused") and "No space left" in full and "free space" in full, done.stderr
    assert "Read-only" in fixed and "not read-only" in fixed and "Read-only" in new
    assert "mskseg" not in done.stdout


@pytest.mark.parametrize("name", ["n" * 245, "n" * 255, "股" * 85, "a.b-" * 60], ids=["245", "255", "255 bytes", "dots"])
def test_long_names_work(tmp_path, name):
    check_new_folder(tmp_path / name)
    for text in ("first", "second"):
        fill(tmp_path / name, text)
        assert content(tmp_path / name) == whole(text)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["n" * 256, "股" * 86, "/".join(["p" * 200] * 30)], ids=["256", "258 bytes", "path"])
def test_names_that_are_too_long_are_refused_before_the_run(tmp_path, name):
    with pytest.raises(InputError, match="shorter name"):
        check_new_folder(tmp_path / "new" / name)
    assert not list(tmp_path.iterdir())


def test_files_in_the_way_are_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path, word in ((tmp_path / "file", "is a file"), (tmp_path / "file" / "out", "'file' on the way to it is a file")):
        with pytest.raises(InputError, match=word):
            check_no_file(resolved(path))
    (tmp_path / "out" / "a.txt").mkdir(parents=True)
    with pytest.raises(InputError, match=r"a\.txt is a folder"):
        check_place(tmp_path / "out", OWNED)
    assert (tmp_path / "file").read_text() == "mine" and (tmp_path / "out" / "a.txt").is_dir()


def test_a_new_folder_may_hold_what_systems_leave_and_nothing_else(tmp_path):
    (tmp_path / "out" / "lost+found").mkdir(parents=True)
    (tmp_path / "out" / ".DS_Store").write_text("")
    check_new_folder(tmp_path / "out")
    (tmp_path / "out" / ".hidden").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        check_new_folder(tmp_path / "out")


def test_the_root_of_a_drive_is_named():
    root = Path(Path.cwd().anchor)
    for check in (check_new_folder, check_output):
        with pytest.raises(InputError, match=re.escape(f"The folder {str(root)!r}")):
            check(root)


def test_too_little_space_is_said(tmp_path):
    with pytest.raises(InputError, match="MB left and the result may need"):
        check_space(tmp_path / "not" / "yet", shutil.disk_usage(tmp_path).free + 2**40)
    check_space(tmp_path / "not" / "yet", 1)


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


def test_names(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out-2").mkdir()
    assert fresh_path(tmp_path / "out").name == "out-3" and fresh_path(tmp_path / "new").name == "new"
    (tmp_path / "a.seg.nrrd").write_text("")
    assert fresh_path(tmp_path / "a.seg.nrrd").name == "a-2.seg.nrrd"
    long = tmp_path / ("股" * 85)
    long.mkdir()
    assert len(fresh_path(long).name.encode()) <= 255 and fresh_path(long).name.endswith("-2")
    assert with_ending("n" * 250, "_measurements.csv") == "n" * 238 + "_measurements.csv"
    assert len(safe_name("𠀋" * 60).encode()) < 240

"""Where results may be written, found out before the work: links, rights, drives, names and space."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from output_folders import OWNED, TRY, as_nobody, content, fill, in_namespace, posix, whole

from MSKSegmentLib.errors import InputError
from MSKSegmentLib.output.names import fresh_path, safe_name, with_ending
from MSKSegmentLib.output.places import check_new_folder, check_no_file, check_place, check_space, resolved
from MSKSegmentLib.results.result_folder import check_output


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

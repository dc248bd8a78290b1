"""The command line around its commands: the table, what is imported when, completion, how much is said."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import SimpleITK as sitk

import MSKSegmentLib
from MSKSegmentLib.commands import base
from MSKSegmentLib.commands.cli import cli
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.commands.table import COMMANDS, MODULES

ROOT = Path(__file__).resolve().parents[3]
HEAVY = {"numpy", "scipy", "SimpleITK", "torch", "rich", "pydicom", "skimage", "cc3d", "monai", "matplotlib", "slicer", "trame"}


def imported_by(*arguments, exit_code=0):
    """The top-level packages that a fresh process has loaded after a command; it must have ended with this code."""
    code = (
        "import sys\nfrom MSKSegmentLib.commands.main import main\ncode = main(sys.argv[1:])\n"
        "print(code, *{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    ended, *packages = done.stderr.splitlines()[-1].split()
    assert ended == str(exit_code), done.stderr
    return set(packages)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["segment", "--help"], ["completion", "bash"]], ids=" ".join)
def test_what_needs_no_scan_loads_no_heavy_package(arguments):
    packages = imported_by(*arguments)
    assert "click" in packages and not HEAVY & packages


def test_a_scan_is_checked_without_torch_and_without_what_draws(phantom_file):
    packages = imported_by("check", phantom_file)
    assert "scipy" in packages
    unneeded = {"SimpleITK", "torch", "monai", "matplotlib", "rich", "pydicom", "skimage", "cc3d", "slicer", "trame"}
    assert not unneeded & packages


def test_what_is_no_scan_is_refused_before_torch_is_loaded(tmp_path):
    single = tmp_path / "single.nii.gz"
    sitk.WriteImage(sitk.Image(40, 40, 1, sitk.sitkInt16), str(single))
    for ct in (tmp_path / "gone.nii.gz", single):
        packages = imported_by("segment", ct, "-o", tmp_path / "out", exit_code=2)
        assert not {"torch", "monai", "skimage", "cc3d"} & packages


def test_help_lists_all_commands_and_imports_none(capsys, monkeypatch):
    def refuse(name):
        raise AssertionError(f"{name} was imported")

    monkeypatch.setattr(base, "import_module", refuse)
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:\n")[2]
    assert [line.split()[0] for line in listed.splitlines()] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_module_help_and_options(name, capsys):
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: mskseg {name} ") and "--quiet" in text and "--verbose" in text
    command = cli.get_command(click.Context(cli), name)
    assert command.help and command.short_help == COMMANDS[name]


def test_every_module_with_a_command_is_in_the_table():
    folder = Path(MSKSegmentLib.__file__).parent / "commands"
    modules = {path.stem for path in folder.glob("*.py") if "\ndef command(" in path.read_text(encoding="utf-8")}
    assert modules == {MODULES.get(name, name.replace("-", "_")) for name in COMMANDS}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing command; see 'mskseg --help'."),
        (["bundle"], "Missing command; see 'mskseg bundle --help'."),
        (["segment"], "Missing argument 'CT'; see 'mskseg segment --help'."),
        (["check", "ct", "--sereis", "1"], "No such option"),
        (["evaluate", "x", "-o", "y", "--bundle", "a", "--segmentations", "b"], "--bundle and --segmentations exclude each other"),
        (
            ["virtual", "-n", "1", "-o", "y", "--spacing", "1", "1", "1", "--clinical"],
            "--spacing and --clinical exclude each other",
        ),
        (["check", "ct", "--assume-orientation", "XYZ"], "'XYZ' is not one of 'LPS', 'RAS'"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_sentence_and_code_2(arguments, sentence, capsys):
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert sentence.lower() in told.err.lower() and told.err.strip().count("\n") == 0 and told.err.strip().endswith(" --help'.")
    assert told.out == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_given_a_script(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_MSKSEG_COMPLETE" in script and f"{shell}_complete" in script


@pytest.mark.parametrize(
    ("line", "expected"),
    [("mskseg se", {"segment"}), ("mskseg segment --li", {"--lights"}), ("mskseg segment x --lights ", {"calibrated", "paper"})],
)
def test_words_are_completed(line, expected):
    words = line.split(" ")
    environment = {
        **os.environ, "_MSKSEG_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "MSKSegmentLib"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert {answer.partition(",")[2] for answer in done.stdout.split()} == expected


@pytest.fixture
def logging_command(monkeypatch):
    """A command in place of ``check`` that says, warns, answers and logs."""

    @click.command(cls=base.Command)
    @base.pass_invocation
    def command(invocation):
        log = logging.getLogger("MSKSegmentLib.ct")
        invocation.say("how it goes")
        invocation.warn("a danger")
        print("the answer")
        log.debug("a decision")
        log.warning("an oddity")
        log.error("a failure")

    monkeypatch.setattr("MSKSegmentLib.commands.check.command", command)


@pytest.mark.parametrize("arguments", [["check"], ["--quiet", "check"], ["check", "-q"], ["-v", "check"], ["check", "--verbose"]])
def test_how_much_is_said(arguments, logging_command, capsys):
    assert main(arguments) == 0
    said = capsys.readouterr()
    quiet, verbose = {"-q", "--quiet"} & {*arguments}, {"-v", "--verbose"} & {*arguments}
    assert said.out == ("" if quiet else "how it goes\n") + "the answer\n"
    assert ("a decision" in said.err) == bool(verbose)
    assert ("an oddity" in said.err) == ("Warning: a danger" in said.err) == (not quiet)
    assert "a failure" in said.err


def test_the_log_is_left_as_it_was(logging_command):
    library = logging.getLogger("MSKSegmentLib")
    before = library.level, list(library.handlers)
    assert main(["-v", "check"]) == 0
    assert (library.level, library.handlers) == before


def test_a_verbose_run_tells_decisions_and_times_but_no_names(phantom_file, tiny_bundle, tmp_path, capsys):
    arguments = ["segment", str(phantom_file), "-o", str(tmp_path / "Yamada"), "--bundle", str(tiny_bundle), "--seed", "3"]
    assert main([*arguments, "--samples", "1", "--quiet"]) == 0
    silent = capsys.readouterr()
    assert silent.out == silent.err == ""
    assert main([*arguments, "--samples", "1", "--progress", "json", "--verbose"]) == 0
    said = capsys.readouterr()
    assert all(line.startswith("{") for line in said.out.splitlines())
    lines = said.err.splitlines()
    for words in ("The bundle is tiny", "80 x 64 x 24 voxels", "1 passes at most, seed 3", "back end", "Lights: "):
        assert any(words in line for line in lines), words
    for step in ("Reading the scan", "The stage inference", "The stage measurement", "Writing the result"):
        assert any(f"{step} took " in line and line.endswith(" s") for line in lines), step
    assert phantom_file.name not in said.err and "Yamada" not in said.err


def test_the_quick_end_leaves_out_nothing_that_was_registered_before_the_program(tmp_path):
    """As by a .pth file: what coverage has measured, a log that is kept in memory, folders for the time of the process."""
    code = (
        "import atexit, logging.handlers, sys, tempfile\n"
        "folder = tempfile.TemporaryDirectory(dir=sys.argv[1])\n"
        "log = logging.handlers.MemoryHandler(9, target=logging.FileHandler(sys.argv[1] + '/log'))\n"
        "log.buffer.append(logging.makeLogRecord({'msg': 'kept'}))\n"
        "atexit.register(print, 'before')\n"
        "import MSKSegmentLib.commands.main as program\n"
        "def main():\n    atexit.register(print, 'within')\n    return 3\n"
        "program.main = main\n"
        "program.run()\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, "within\nbefore\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["log"] and (tmp_path / "log").read_text() == "kept\n"

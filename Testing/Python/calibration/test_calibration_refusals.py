"""What a calibration cannot write is refused before it reads the first case."""

import pytest

from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.quality.conformal import FEWEST_FOR_INTERVALS

PLAIN, MASKS, TIGHTEN = (), ("--masks",), ("--tighten",)


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Calls the command on enough cases, none of which may be read; returns its sentence."""
    for number in range(FEWEST_FOR_INTERVALS):
        case = tmp_path / "cases" / f"case{number}"
        case.mkdir(parents=True)
        (case / "ct.nrrd").touch()
        (case / "labels.nrrd").touch()
    for module in ("observing", "calibrate_masks"):
        name = f"MSKSegmentLib.calibration.{module}.read_labelled_case"
        monkeypatch.setattr(name, lambda *_, **__: pytest.fail("a case was read"))

    def call(*arguments, version="another", output="new"):
        named = ["--source", "made up", "--version", version, "-o", str(tmp_path / output)]
        assert main(["calibrate", str(tmp_path / "cases"), *named, *map(str, arguments)]) == 2
        assert not (tmp_path / "new").exists()
        return capsys.readouterr().err

    return call


@pytest.mark.parametrize("mode", [PLAIN, MASKS, TIGHTEN])
def test_the_old_version(refused, mode):
    version = resolve_bundle(None).manifest.version
    assert f"already has version {version}" in refused(*mode, version=version)


@pytest.mark.parametrize("mode", [PLAIN, MASKS, TIGHTEN])
def test_an_output_that_cannot_be_written(refused, tmp_path, mode):
    assert "There already is a cases" in refused(*mode, output="cases")
    (tmp_path / "file").touch()
    assert "is a file" in refused(*mode, output="file/new")


@pytest.mark.parametrize("mode", [PLAIN, MASKS])
@pytest.mark.parametrize(
    ("folder", "sentence"),
    [("cases", "holds other files"), ("file/report", "is a file"), ("new", "cannot lie in"), ("new/report", "cannot lie in")],
)
def test_a_report_that_cannot_be_written(refused, tmp_path, mode, folder, sentence):
    (tmp_path / "file").touch()
    assert sentence in refused(*mode, "--report", tmp_path / folder)

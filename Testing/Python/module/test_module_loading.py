"""The module opened, reloaded, used by a script, and tested by Slicer."""

import subprocess
import sys
import unittest

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from conftest import ROOT
from Host import host, packages
from module_cases import add_phantom, open_module

pytest_plugins = ("warm_children",)


def test_reload_reads_panel_and_library_anew():
    code = (
        "import sys\n"
        f"sys.path[:0] = [{str(ROOT / 'Testing')!r}]\n"
        "from Host import host\n"
        "host.start()\n"
        "import slicer\n"
        "panel = host.loadModule('MSKSegment')\n"
        "kept = {name: module for name, module in sys.modules.items() if name.startswith(('MSKSegmentPanel', 'MSKSegmentLib'))}\n"
        "panel.onReload()\n"
        "new = slicer.modules.MSKSegmentWidget\n"
        "assert new is not panel and not panel.Observations and new.Observations\n"
        "stale = [name for name, module in kept.items() if sys.modules.get(name) is module]\n"
        "assert type(new.review) is not type(panel.review) and type(new.logic) is not type(panel.logic)\n"
        "host.processEvents(0.1)\n"
        "assert not host.errors(), host.errors()\n"
        "print('stale', stale)\n"
        "slicer.app.moduleManager().unload('MSKSegment')\n"
        "assert not new.Observations and not host.errors(), host.errors()\n"
        "host.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().splitlines()[-1:] == ["stale []"], done.stdout + done.stderr


@pytest.mark.usefixtures("warm_children")
def test_a_script_segments_without_panel_and_window(tiny_bundle, phantom, tmp_path):
    host.start()
    try:
        folder = str(ROOT / "MSKSegment")
        sys.path.insert(0, folder)
        from MSKSegment import MSKSegmentLogic

        stages = []
        logic = MSKSegmentLogic()
        options = {"bundle": str(tiny_bundle), "samples": 2, "seed": 1, "heightCm": 165, "preview": True}
        case = logic.segment(add_phantom(phantom), lambda event: stages.append(event.stage), **options)
        assert "inference" in stages and logic.cases == (case,)
        assert "PREVIEW" in case.session.result.warnings[0]
        key = next(row.key for row in case.session.rows() if row.found)
        case.session.accept(key)
        logic.exportCsv(case, tmp_path / "table.csv")
        assert "accepted" in (tmp_path / "table.csv").read_text(encoding="utf-8")
        with pytest.raises(Exception, match="bundle"):
            logic.segment(case.nodes.ct, bundle="no such bundle")
    finally:
        sys.path.remove(folder)
        host.close()


def test_opening_the_module_loads_no_torch_and_asks_nothing():
    code = (
        "import sys\n"
        f"sys.path[:0] = [{str(ROOT / 'Testing')!r}]\n"
        "import socket\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "from Host import host\n"
        "host.start()\n"
        "host.loadModule('MSKSegment')\n"
        "host.processEvents(0.2)\n"
        "assert not host.errors(), host.errors()\n"
        "assert not host.messages(), host.messages()\n"
        "heavy = {'torch', 'SimpleITK', 'scipy', 'pydicom', 'monai', 'skimage'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "host.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stdout + done.stderr


def test_the_modules_own_test_is_skipped_in_sight_where_packages_are_missing(capfd):
    """As on the machines that build extensions: Slicer's runner looks for tests in the module and counts failures."""
    with open_module(pytorchExtension=False):
        packages.missing.add("torch")
        suite = unittest.TestLoader().loadTestsFromName("MSKSegment")
        result = unittest.TextTestRunner(verbosity=2).run(suite)
        assert result.wasSuccessful() and [reason for _, reason in result.skipped] == ["a run needs torch>=2.4"]
        # The part that needs no packages was run.
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
    assert "a run needs torch" in capfd.readouterr().err


@pytest.mark.slow
def test_the_modules_own_test_passes_with_the_bundled_model():
    """What Slicer runs as MSKSegmentTest: the sample CT, the bundled model with a single pass."""
    with open_module() as panel:
        panel.device.stop()
        slicer.selfTests["MSKSegment"](msec=1)

"""What the module does around a run: Python packages when they are missing, the sample CT, the texts of the About box."""

import hashlib
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)

from Host import host

from MSKSegmentLib.errors import DependencyError

pytest_plugins = ("warm_children",)
ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def _panel_part(name, **options):
    """A part of the panel as a module, in a host started with `options`."""
    host.start(**options)
    sys.path.insert(0, str(ROOT / "MSKSegment"))
    kept = {name: sys.modules.pop(name) for name in [*sys.modules] if name.startswith("MSKSegmentPanel")}
    try:
        yield __import__(f"MSKSegmentPanel.{name}", fromlist=[name])
    finally:
        sys.path.remove(str(ROOT / "MSKSegment"))
        for loaded in [*sys.modules]:
            if loaded.startswith("MSKSegmentPanel"):
                del sys.modules[loaded]
        sys.modules.update(kept)
        host.close()


@pytest.mark.parametrize("packaging", [True, False])
def test_with_everything_installed_nothing_is_asked_or_installed(packaging):
    with _panel_part("dependencies", packaging=packaging, pytorchExtension=False) as dependencies:
        assert dependencies.missingRequirements() == []
        dependencies.ensureRequirements()
        assert not host.installations() and not host.messages()
        assert dependencies.torchVersion()


def test_what_is_missing_is_named_without_importing_it():
    code = (
        "import sys; sys.path[:0] = ['Testing', 'MSKSegment']\n"
        "from Host import host; host.start()\n"
        "from MSKSegmentPanel import dependencies\n"
        "from Host import packages; host.setMissing('torch', 'psutil')\n"
        "print(dependencies.missingRequirements())\n"
        "print([name for name in ('torch', 'skimage', 'cc3d', 'safetensors') if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-2:] == ["['torch>=2.4', 'psutil>=5.9']", "[]"]


@pytest.mark.parametrize("packaging", [True, False])
def test_small_packages_come_first_and_torch_by_the_pytorch_extension(packaging):
    with _panel_part("dependencies", packaging=packaging) as dependencies:
        host.setMissing("torch", "psutil", "safetensors")
        dependencies.ensureRequirements()
        how = "pip_ensure" if packaging else "pip_install"
        assert [(function, requirements) for function, requirements, _ in host.installations()] == [
            (how, ("safetensors>=0.4", "psutil>=5.9")),
            ("installTorch", ("torch>=2.4",)),
        ]
        # Each time after asking.
        assert len(host.messages()) == 2
        assert dependencies.missingRequirements() == []


@pytest.mark.parametrize(("missing", "name"), [("psutil", "psutil"), ("torch", "PyTorch")])
@pytest.mark.parametrize("packaging", [True, False])
def test_who_declines_is_told_what_is_missing(missing, name, packaging):
    with _panel_part("dependencies", packaging=packaging) as dependencies:
        host.setMissing(missing)
        host.answer(0)
        with pytest.raises(DependencyError, match=f"needs .*{name}.*click Segment again"):
            dependencies.ensureRequirements()
        assert not host.installations()


@pytest.mark.parametrize("missing", ["torch", "safetensors"])
@pytest.mark.parametrize("packaging", [True, False])
def test_a_failing_installation_is_one_sentence_with_a_remedy(missing, packaging):
    with _panel_part("dependencies", packaging=packaging) as dependencies:
        host.setMissing(missing)
        host.failInstallations(subprocess.CalledProcessError(1, ["pip", "install", missing]))
        with pytest.raises(DependencyError) as caught:
            dependencies.ensureRequirements()
        sentence = str(caught.value)
        assert ("PyTorch" if missing == "torch" else missing) in sentence and "proxy" in sentence
        assert "CalledProcessError" not in sentence and "\n" not in sentence and sentence.endswith(".")


def test_without_the_pytorch_extension_the_user_learns_where_to_get_it():
    with _panel_part("dependencies", pytorchExtension=False) as dependencies:
        host.setMissing("torch")
        with pytest.raises(DependencyError, match="install the extension PyTorch with Slicer's Extensions Manager"):
            dependencies.ensureRequirements()
        assert not host.installations()


def test_an_installation_that_installs_nothing_is_noticed(monkeypatch):
    with _panel_part("dependencies") as dependencies:
        host.setMissing("torch")
        import PyTorchUtils

        monkeypatch.setattr(PyTorchUtils.PyTorchUtilsLogic, "installTorch", lambda self, **options: object())
        with pytest.raises(DependencyError, match="Still missing after the installation: PyTorch; restart Slicer"):
            dependencies.ensureRequirements()


def test_tests_never_change_the_python_environment():
    import slicer

    with _panel_part("dependencies") as dependencies:
        host.setMissing("psutil")
        slicer.app.setTestingEnabled(True)
        try:
            with pytest.raises(DependencyError, match="tests install none: psutil"):
                dependencies.ensureRequirements()
        finally:
            slicer.app.setTestingEnabled(False)
        assert not host.installations()


def test_the_sample_ct_is_registered_once_and_loads_from_the_installed_file():
    import slicer

    with _panel_part("sampleData") as sampleData:
        sampleData.registerSampleData()
        (source,) = slicer.modules.sampleDataSources[sampleData.CATEGORY]
        (uri,), (checksum,) = source.uris, source.checksums
        file = ROOT / "MSKSegmentLib" / "Resources" / "SampleCT" / "sample_ct.nii.gz"
        assert uri == file.as_uri() and sampleData.sampleFile() == file
        assert checksum == "SHA256:" + hashlib.sha256(file.read_bytes()).hexdigest()
        assert source.fileNames == ["MSKSegmentSampleCT.nii.gz"] and Path(source.thumbnailFileName).is_file()
        import SampleData

        node = SampleData.SampleDataLogic().downloadSample(sampleData.SAMPLE_NAME)
        assert node.GetName() == sampleData.NODE_NAME and node.GetImageData().GetDimensions() == (300, 168, 228)


def test_without_the_sample_data_module_nothing_is_registered(monkeypatch):
    with _panel_part("sampleData") as sampleData:
        monkeypatch.setitem(sys.modules, "SampleData", None)
        sampleData.registerSampleData()


def test_the_about_box_says_what_it_must():
    with _panel_part("about") as about:
        from MSKSegmentLib import RESEARCH_USE_ONLY, __version__

        for text in (about.aboutText(), about.helpText()):
            assert RESEARCH_USE_ONLY in text
        box = about.aboutText()
        assert __version__ in box and "10.1038/s41598-024-83793-7" in box and "Nothing leaves this computer" in box
        assert "not validated on CT of patients" in box
        assert "10.56902/COB.vh.2022.0" in about.acknowledgementText()
        for text in (box, about.helpText(), about.acknowledgementText()):
            # Every tag that opens closes again: a broken one would swallow the warning.
            opened = re.findall(r"<(\w+)[^>]*>", text)
            assert sorted(opened) == sorted(re.findall(r"</(\w+)>", text))


def _examples():
    """The Python examples of the users' guide, as they stand there."""
    text = (ROOT / "Docs" / "user" / "python_console.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def in_slicer(tmp_path, monkeypatch):
    """As in Slicer's Python console: the module is loaded and importable, the working folder is empty."""
    monkeypatch.chdir(tmp_path)
    host.start()
    try:
        host.loadModule("MSKSegment")
        yield
    finally:
        host.close()


@pytest.mark.usefixtures("warm_children")
def test_the_examples_for_the_python_console_run(in_slicer, phantom_file, tmp_path, capsys, tiny_bundle):
    first, second, _ = _examples()
    names = {}
    # With the tests' small model, and a structure that it finds in the phantom.
    exec(first.replace("ct.nii.gz", str(phantom_file)).replace("seed=1", f"seed=1, bundle={str(tiny_bundle)!r}"), names)
    assert capsys.readouterr().out.count("\n") == 43
    table = (tmp_path / "measurements.csv").read_text(encoding="utf-8")
    assert table.count("\n") == 44
    found = next(row.key for row in names["case"].session.rows() if row.found)
    exec(second.replace("GMAX_right", found), names)
    assert float(capsys.readouterr().out) > 0
    assert names["case"].session.row(found).state.value == "accepted"
    assert (tmp_path / "result" / "result.json").exists()


@pytest.mark.usefixtures("warm_children")
def test_the_example_for_a_folder_goes_on_after_a_bad_scan(in_slicer, phantom_file, tmp_path, monkeypatch, capsys, tiny_bundle):
    import numpy as np
    import SimpleITK as sitk
    import slicer

    scans = tmp_path / "scans"
    scans.mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((9, 9, 9), np.int16)), str(scans / "a.nii.gz"))
    (scans / "b.nii.gz").write_bytes(phantom_file.read_bytes())
    ended = []
    monkeypatch.setattr(slicer.util, "exit", ended.append)
    monkeypatch.setattr(sys, "argv", ["segment_folder.py", str(scans), str(tmp_path / "results")])
    exec(_examples()[2].replace("seed=1", f"seed=1, bundle={str(tiny_bundle)!r}"), {})
    assert ended == [1] and capsys.readouterr().err.startswith("a.nii.gz: ")
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["b"]

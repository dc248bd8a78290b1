"""``mskseg review``: what it takes, what it refuses, and how it starts and ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from web_cases import make_case
from web_process import REAL, ROOT, Client, Server, run

from MSKSegmentLib.errors import InputError
from MSKSegmentLib.web.case.options import Target, choose, kind_of_target


def review(*arguments, cwd=None):
    """(exit code, output, errors) of a command that is expected to end by itself."""
    ended = subprocess.run(
        [*REAL, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=90, encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
    )  # fmt: skip
    return ended.returncode, ended.stdout, ended.stderr


def sentence(target, ct=None, results=Path("results")):
    with pytest.raises(InputError) as caught:
        choose(target, ct, results)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    return str(caught.value)


def test_what_a_path_is(tmp_path, phantom, phantom_file):
    case = make_case(tmp_path / "results" / "case", phantom)
    assert kind_of_target(None) is Target.NOTHING
    assert kind_of_target(case) is Target.RESULT
    assert kind_of_target(tmp_path / "results") is Target.LIST
    assert kind_of_target(phantom_file) is Target.CT
    assert "There is no file or folder nothing" in sentence(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "holds neither results nor a DICOM series" in sentence(tmp_path / "empty")
    (tmp_path / "empty" / "notes.txt").write_text("x" * 500, encoding="utf-8")
    assert "holds neither results nor a DICOM series" in sentence(tmp_path / "empty")


def test_a_dicom_folder_is_a_ct(tmp_path):
    from test_web_uploads import dicom_slice

    folder = tmp_path / "study" / "series"
    folder.mkdir(parents=True)
    (folder / "IM1").write_bytes(dicom_slice(1))
    assert kind_of_target(tmp_path / "study") is Target.CT


def test_the_chosen_folder_is_all_that_is_served(tmp_path, phantom, phantom_file):
    results = tmp_path / "results"
    case = make_case(results / "case", phantom)
    assert choose(case, None, tmp_path / "new").folder == case and choose(case, None, tmp_path).single
    assert choose(results, None, tmp_path / "new").folder == results and not choose(results, None, tmp_path).single
    assert choose(phantom_file, None, tmp_path / "new").folder == tmp_path / "new"
    assert choose(None, None, tmp_path / "new").folder == tmp_path / "new"
    assert "cannot go to the file" in sentence(None, results=phantom_file)


def test_a_result_needs_its_own_ct(tmp_path, phantom, phantom_file):
    lonely = make_case(tmp_path / "lonely", phantom, keep_ct=False)
    assert sentence(lonely) == (
        "The result 'lonely' holds no CT; name the scan that was segmented with --ct, or segment it again with --keep-ct."
    )
    assert choose(lonely, phantom_file, tmp_path).ct == phantom_file
    recorded = make_case(tmp_path / "recorded", phantom, keep_ct=False, source=str(phantom_file))
    assert choose(recorded, None, tmp_path).kind is Target.RESULT
    assert "There is no file or folder gone.nii" in sentence(lonely, tmp_path / "gone.nii")
    assert "--ct names the CT of a result folder" in sentence(None, phantom_file)


def test_another_ct_is_refused_even_on_the_same_grid(tmp_path, phantom):
    import SimpleITK as sitk

    from MSKSegmentLib.web.case.opening import open_result

    lonely = make_case(tmp_path / "lonely", phantom, keep_ct=False)
    other = tmp_path / "other.nrrd"
    sitk.WriteImage(phantom.geometry.image_of(phantom.hu + 1), str(other))
    with pytest.raises(InputError, match="The CT other.nrrd is not the one that 'lonely' was made from"):
        open_result(lonely, other)
    sitk.WriteImage(phantom.geometry.image_of(phantom.hu), str(other))
    opened = open_result(lonely, other)
    assert opened.read_only == ""
    opened.release()


def test_a_new_run_never_replaces_a_review(tmp_path, phantom, phantom_file, tiny_bundle, capsys):
    from MSKSegmentLib.commands.main import main
    from MSKSegmentLib.review.folder import open_folder, save

    case = make_case(tmp_path / "case", phantom)
    session = open_folder(case, phantom)
    session.accept("VLVI_left")
    save(session, case)
    before = (case / "review.npz").read_bytes()
    segmentation = str(case / "segmentation.seg.nrrd")
    for command in (
        ["segment", str(phantom_file), "-o", str(case), "--bundle", str(tiny_bundle), "--progress", "none"],
        ["measure", segmentation, "--ct", str(phantom_file), "-o", str(case)],
    ):
        assert main(command) == 2
        assert capsys.readouterr().err.strip() == (
            "The result in 'case' has been reviewed; name another folder with -o, or remove this one."
        )
    assert (case / "review.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.nii"], "There is no file or folder nothing.nii"),
        (["--port", "70000"], "There is no port 70000"),
        (["--port", "x"], "'x' is not a valid integer"),
        (["--max-upload-mb", "0"], "Uploads of less than 1 MB hold no scan"),
        (["--host", "256.1.1.1"], "cannot be used"),
        (["--unknown"], "No such option"),
    ],
)
def test_bad_options_end_with_one_sentence(tmp_path, arguments, words):
    code, output, errors = review(*arguments, cwd=tmp_path)
    assert code == 2 and words in errors.strip().splitlines()[-1]
    assert "Traceback" not in errors and "http://" not in output
    assert not list(tmp_path.iterdir())


def test_a_result_without_ct_ends_before_a_server_starts(tmp_path, phantom):
    lonely = make_case(tmp_path / "lonely", phantom, keep_ct=False)
    code, output, errors = review(lonely, cwd=tmp_path)
    assert code == 2 and "holds no CT" in errors and "http://" not in output


def test_it_starts_quickly_and_ends_on_a_signal(tmp_path, phantom):
    """On the other signal in `test_web_compare`."""
    pytest.importorskip("trame_slicer")
    case = make_case(tmp_path / "case", phantom)
    began = time.monotonic()
    server = Server(case, program=REAL, cwd=tmp_path)
    try:
        took = time.monotonic() - began
        assert server.address in server.lines, "the address stands on a line of its own"
        assert "Research use only" in server.text
        assert took < 30, f"{took:.1f} s until the address"
        run(_until_case(server))
        assert server.stop(signal.SIGTERM) == 0
        assert "Traceback" not in server.text and "Error" not in server.text
    finally:
        server.close()


async def _until_case(server):
    client = await Client.open(server)
    await client.wait(lambda c: c.state["view_page"] == "case", 90)


def test_without_the_package_it_says_what_to_install(tmp_path):
    blocked = (
        "import sys; sys.modules['trame_slicer'] = None; from MSKSegmentLib.commands.main import main; sys.exit(main(['review']))"
    )
    ended = subprocess.run([sys.executable, "-c", blocked], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr.strip() == (
        "The review needs the package trame-slicer, which is not installed; "
        f'install it with: {sys.executable} -m pip install "mskseg[web]".'
    )

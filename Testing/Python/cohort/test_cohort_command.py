"""`mskseg cohort` with the real engine and a tiny network: dry run, run, status, and refusals in one sentence."""

import csv

import pytest
from conftest import phantom_volume
from pyarrow import parquet

from MSKSegmentLib.cohort import planning
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.results.segmentation_file import write_ct


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    root = tmp_path_factory.mktemp("scans")
    (root / "p1").mkdir()
    write_ct(root / "p1" / "ct.nrrd", phantom_volume())
    (root / "broken.nii").write_bytes(b"no image")
    table = root / "list.csv"
    table.write_text("case,path,height_cm,side_affected\nfirst,p1/ct.nrrd,163,right\nbad,broken.nii,,\n")
    return table


def test_a_dry_run_lists_and_estimates(scans, tmp_path, monkeypatch, capsys):
    # Of a scan half as large as this one, in half an hour.
    volume = 4 * 4 * 6 * 80 * 64 * 24
    monkeypatch.setattr(planning, "estimate_cases", lambda cases, settings: planning.Estimate(1800, volume / 2, 0, "a processor"))
    assert main(["cohort", str(scans), "-o", str(tmp_path / "study"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "REFUSED" in said and "80 x 64 x 24 voxels of 4 x 4 x 6 mm" in said
    assert "1 cases would take about 60 minutes on this computer" in said
    assert not (tmp_path / "study").exists()


def test_a_list_becomes_a_study(scans, tiny_bundle, tmp_path, capsys):
    words = ["cohort", str(scans), "-o", str(tmp_path / "study"), "--bundle", str(tiny_bundle), "--device", "cpu", "--seed", "1"]
    assert main([*words, "--workers", "1", "--bids", str(tmp_path / "bids")]) == 0
    assert (tmp_path / "bids" / "sub-first" / "ct" / "sub-first_dseg.nii.gz").exists()
    assert "2 cases: 1 done, 1 refused" in capsys.readouterr().out
    assert main(["cohort", "-o", str(tmp_path / "study"), "--status"]) == 0
    assert capsys.readouterr().out.strip() == "2 cases: 1 done, 1 refused"
    rows = parquet.read_table(tmp_path / "study" / "measurements.parquet").to_pylist()
    assert len(rows) == 43 and {row["affected"] for row in rows} == {"yes", "no", None}
    with (tmp_path / "study" / "cases.csv").open(newline="") as file:
        first, bad = csv.DictReader(file)
    assert first["height_cm"] == "163" and bad["state"] == "refused" and bad["sentence"]
    assert parquet.read_table(tmp_path / "study" / "slices.parquet").num_rows > 0
    assert (tmp_path / "study" / "report.html").stat().st_size > 0


@pytest.mark.parametrize(
    "words",
    [
        ["-o", "study"],
        ["nowhere", "-o", "study"],
        ["{list}", "-o", "study", "--series", "3"],
        ["{list}", "-o", "study", "--time-limit", "0"],
        ["-o", "study", "--status"],
    ],
)
def test_bad_words_are_one_sentence(scans, tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert main(["cohort", *(word.format(list=scans) for word in words)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.strip().endswith(".")

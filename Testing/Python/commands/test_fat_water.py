"""``--fat`` and ``--water``: grids are held to each other and to the scan, the share of fat stands in the table."""

import csv

import numpy as np
import pytest
from dixon_files import SHAPE, write_image

from MSKSegmentLib.commands.main import main


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Two thighs with one muscle each, of which 20 % is fat; the pair is stored as fractions of one."""
    folder = tmp_path_factory.mktemp("dixon")
    z, y, x = np.ogrid[:20, :40, :60]
    mr, labels = np.full(SHAPE, 3, np.int16), np.zeros(SHAPE, np.uint8)
    for centre, label in ((16, 23), (44, 123)):
        radius = np.hypot(y - 20, x - centre) + 0 * z
        mr[radius < 13], mr[radius < 8] = 900, 400
        labels[radius < 8] = label
    total = np.where(mr > 100, 0.9, 0.0).astype(np.float32)
    share = np.where(labels > 0, 0.2, 0.93).astype(np.float32)
    write_image(folder / "mr.nii.gz", mr)
    write_image(folder / "labels.nii.gz", labels)
    return folder, total * share, total * (1 - share)


def _measure(folder, out, *words):
    scans = ["measure", str(folder / "labels.nii.gz"), "--ct", str(folder / "mr.nii.gz"), "-o", str(out)]
    return main([*scans, *map(str, words)])


def test_the_share_of_fat_stands_in_the_table_of_mr(scan, tmp_path, capsys):
    folder, fat, water = scan
    fat_file, water_file = write_image(tmp_path / "fat.nii.gz", fat), write_image(tmp_path / "water.nii.gz", water)
    assert _measure(folder, tmp_path / "out", "--task", "lower-limb-mr", "--fat", fat_file, "--water", water_file) == 0
    with (tmp_path / "out" / "measurements.csv").open(encoding="utf-8") as file:
        rows = {(row["abbreviation"], row["side"]): row for row in csv.DictReader(file)}
    assert float(rows["VM", "left"]["dixon_fat_percent"]) == pytest.approx(20.0, abs=0.1)
    assert float(rows["VM", "right"]["volume_cc"]) > 100 and rows["VL", "left"]["dixon_fat_percent"] == ""
    assert "mean_hu" not in rows["VM", "left"]
    # Exchanged, they are still an answer, but a doubtful one.
    assert _measure(folder, tmp_path / "two", "--task", "lower-limb-mr", "--fat", water_file, "--water", fat_file) == 0
    assert "not exchanged" in capsys.readouterr().out.replace("\n", " ")
    for words, said in (
        (("--task", "lower-limb-mr", "--fat", fat_file), "give --fat and --water, or neither"),
        (("--task", "lower-limb-mr", "--fat", fat_file, "--water", tmp_path / "none.nii.gz"), "There is no file"),
        (("--fat", fat_file, "--water", water_file), "does not measure the share of fat"),
    ):
        assert _measure(folder, tmp_path / "no", *words) == 2 and said in capsys.readouterr().err
    assert not (tmp_path / "no").exists()

"""Fat and water images: their grids are held to each other and to the scan's."""

import numpy as np
import pytest
from dixon_files import SCAN, SHAPE, write_image

from MSKSegmentLib.ct.reading.fat_water import read_fat_water
from MSKSegmentLib.errors import InputError


def test_another_grid_of_the_same_place_is_interpolated_and_others_are_refused(tmp_path):
    fat, water = np.full(SHAPE, 0.2, np.float32), np.full(SHAPE, 0.8, np.float32)
    half = [write_image(tmp_path / f"{name}.nrrd", one[:, ::2, ::2], (8.0, 8.0, 5.0)) for name, one in (("f", fat), ("w", water))]
    placed = read_fat_water(*half, SCAN)
    inside = np.isfinite(placed[0])
    assert placed[0].shape == SHAPE and 0.9 < inside.mean() < 1
    assert placed[0][inside] == pytest.approx(0.2) and placed[1][inside] == pytest.approx(0.8)
    whole = write_image(tmp_path / "whole.nrrd", water)
    far = [write_image(tmp_path / f"far_{name}.nrrd", one, origin=(5000.0, 0.0, 0.0)) for name, one in (("f", fat), ("w", water))]
    empty = write_image(tmp_path / "empty.nrrd", np.zeros_like(fat))
    broken = write_image(tmp_path / "nan.nrrd", np.full_like(fat, np.nan))
    for pair, said in (
        ((half[0], whole), "another grid than the water image"),
        (far, "lie elsewhere than the scan"),
        ((empty, whole), "holds no signal"),
        ((broken, whole), "not numbers"),
        ((tmp_path, whole), "convert both series to image files"),
        ((tmp_path / "no.nrrd", whole), "There is no file"),
    ):
        with pytest.raises(InputError, match=said):
            read_fat_water(*pair, SCAN)

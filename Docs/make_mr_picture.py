"""Make ``images/virtual_mr.png``: a virtual patient in MR, its true muscles and its share of fat, from calf to hip.

    python Docs/make_mr_picture.py CASE

CASE is a folder that ``mskseg virtual --modality mr --dixon`` wrote.
"""

import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from matplotlib.figure import Figure

from MSKSegmentLib.tasks import load_task

LEVELS = (0.15, 0.3, 0.45, 0.6, 0.8)
OUT = Path(__file__).parent / "images" / "virtual_mr.png"


def colours() -> np.ndarray:
    """Red, green and blue, 0 to 1, of every label value; black elsewhere."""
    table = np.zeros((256, 3))
    for segment in load_task("lower-limb-mr").table.segments:
        table[segment.label] = np.array(segment.color) / 255
    return table


def main(case: Path) -> None:
    """Three rows: signal, labels, fat / (fat + water); columns from the calf to the hip."""
    mr, labels, fat, water = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(case / f"{name}.nii.gz"))).astype(float)
        for name in ("mr", "labels", "fat", "water")
    )
    total = fat + water
    share = np.where(total > 0.25 * np.percentile(total, 99), fat / np.maximum(total, 1), 0)
    rows, columns = (np.flatnonzero((mr > 0.25 * np.percentile(mr, 99)).any(axis=axes)) for axes in ((0, 2), (0, 1)))
    window = slice(max(0, rows[0] - 2), rows[-1] + 3), slice(max(0, columns[0] - 2), columns[-1] + 3)
    figure = Figure(figsize=(11, 6), layout="constrained", facecolor="black")
    panels = figure.subplots(3, len(LEVELS))
    for column, level in enumerate(LEVELS):
        k = int(level * len(mr))
        panels[0, column].imshow(mr[k][window], cmap="gray", vmin=0, vmax=np.percentile(mr, 99.5))
        panels[1, column].imshow(colours()[labels[k][window].astype(int)])
        panels[2, column].imshow(share[k][window], cmap="inferno", vmin=0, vmax=1)
    for axes in panels.flat:
        axes.axis("off")
    figure.savefig(OUT, dpi=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The course of a training: ``losses.csv``, ``validation.csv`` and their picture ``curves.png``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from ..anatomy import StructureTable
from .validation import ValidationDice

LOSSES, VALIDATION, PICTURE = "losses.csv", "validation.csv", "curves.png"
_COLUMNS = ("iteration", "loss", "learning_rate", "slices_per_second", "validation_mean_dice")


@dataclass(frozen=True)
class TrainingPoint:
    """The state of a training after `iteration` iterations; `loss` is the mean since the previous point."""

    iteration: int
    loss: float
    learning_rate: float
    slices_per_second: float
    dice: float | None = None


def append_point(folder: Path, point: TrainingPoint) -> None:
    """Add a row to ``losses.csv``."""
    dice = "" if point.dice is None else f"{point.dice:.4f}"
    numbers = [f"{point.loss:.5f}", f"{point.learning_rate:.3g}", f"{point.slices_per_second:.2f}"]
    _append(folder / LOSSES, _COLUMNS, [str(point.iteration), *numbers, dice])


def append_scores(folder: Path, iteration: int, scores: ValidationDice, table: StructureTable) -> None:
    """Add a row with the Dice of each structure of a table to ``validation.csv``."""
    names = [structure.abbreviation for structure in table.structures]
    cells = [f"{scores.dice[name]:.4f}" if name in scores.dice else "" for name in names]
    _append(folder / VALIDATION, ("iteration", *names), [str(iteration), *cells])


def read_points(folder: Path) -> list[TrainingPoint]:
    """All rows of ``losses.csv``."""
    path = folder / LOSSES
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            TrainingPoint(int(row[0]), float(row[1]), float(row[2]), float(row[3]), float(row[4]) if row[4] else None)
            for row in list(csv.reader(file))[1:]
        ]


def forget_after(folder: Path, iteration: int) -> None:
    """Drop rows beyond the iteration from which a training resumes: that part of the training was lost with the process."""
    for path in (folder / LOSSES, folder / VALIDATION):
        if not path.exists():
            continue
        head, *rows = path.read_text(encoding="utf-8").splitlines()
        kept = [row for row in rows if int(row.partition(",")[0]) <= iteration]
        partial = path.with_suffix(".partial")
        partial.write_text("\n".join([head, *kept]) + "\n", encoding="utf-8")
        partial.replace(path)


def draw_curves(folder: Path) -> None:
    """Draw loss, learning rate and validation Dice over iterations into ``curves.png``; without points nothing is drawn."""
    from matplotlib.figure import Figure

    points = read_points(folder)
    if not points:
        return
    validated = [point for point in points if point.dice is not None]
    figure = Figure(figsize=(8, 6.4 if validated else 4.2), layout="constrained", dpi=110)
    axes = figure.subplots(2 if validated else 1, 1, sharex=True, squeeze=False)[:, 0]
    iterations = [point.iteration for point in points]
    axes[0].plot(iterations, [point.loss for point in points], color="tab:blue", marker="." if len(points) < 30 else "")
    axes[0].set_ylabel("loss", color="tab:blue")
    axes[0].set_ylim(bottom=0)
    rate = axes[0].twinx()
    rate.plot(iterations, [1000 * point.learning_rate for point in points], color="tab:orange", linewidth=1)
    rate.set_ylabel("learning rate (1e-3)", color="tab:orange")
    rate.set_ylim(bottom=0)
    if validated:
        axes[1].plot([point.iteration for point in validated], [point.dice for point in validated], color="tab:green", marker="o")
        axes[1].set_ylabel("mean Dice on patients held out")
        axes[1].set_ylim(0, 1)
        best = max(point.dice for point in validated if point.dice is not None)
        axes[1].set_title(f"last {validated[-1].dice:.3f}, best {best:.3f}", fontsize=10)
    for axis in axes:
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("iteration")
    partial = folder / f".{PICTURE}"
    figure.savefig(partial, format="png")
    partial.replace(folder / PICTURE)


def _append(path: Path, columns: tuple[str, ...], cells: list[str]) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(columns)
        writer.writerow(cells)

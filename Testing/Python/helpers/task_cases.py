"""A task that is not built in, as two files, and a small bundle of any task."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from structure_tables import toy_json

TOY_TASK: dict[str, Any] = {
    "format": "mskseg-task",
    "format_version": 1,
    "name": "toy-mr",
    "title": "A toy leg, MR",
    "description": "Five structures of a leg that no atlas knows.",
    "modality": "MR",
    "structures": "toy.json",
    "checks": ["spacing", "mr_scale"],
    "measurements": ["volume", "height_normalised_volume"],
    "preprocessing": {"intensity": "body_percentiles", "hu_window": [0, 1000]},
    "network": {"levels": 2, "base_filters": 4},
    "words": {"scan": "MR scan", "region": "the toy leg", "report": "A toy leg from MR", "notes": ["Toys are no patients."]},
}


def write_toy_task(folder: Path, **changes: Any) -> Path:
    """The task's file in a folder, with other entries than usual, and its structures beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.json").write_text(json.dumps(toy_json()), encoding="utf-8")
    path = folder / "toy-mr.json"
    path.write_text(json.dumps(TOY_TASK | changes), encoding="utf-8")
    return path


def write_task_bundle(folder: Path, name: str) -> Path:
    """A bundle of a task with a random network of two levels: every step of a run is real, the labels are nonsense."""
    import torch
    from conftest import write_tiny_bundle

    from MSKSegmentLib.bundle import load_bundle, save_bundle
    from MSKSegmentLib.bundle.describe_tasks import defaults_of
    from MSKSegmentLib.network.bayesian_unet import BayesianUNet
    from MSKSegmentLib.tasks import load_task

    task = load_task(name)
    _, preprocessing = defaults_of(task)
    usual = load_bundle(write_tiny_bundle(folder / "usual")).manifest
    manifest = replace(
        usual,
        name=folder.name,
        task=name,
        network=replace(usual.network, classes=task.table.classes),
        preprocessing=replace(preprocessing, in_plane_spacing_mm=6.0, slice_interval_mm=6.0),
    )
    torch.manual_seed(5)
    network = BayesianUNet(levels=2, base_filters=4, in_channels=3, classes=task.table.classes)
    save_bundle(folder / name, manifest, network.state_dict(), None, "A bundle for tests. Research use only.")
    return folder / name

"""Environments with the stand-ins of `fake_programs`, trained folders for them, and label maps as other programs write them."""

import json
import os
import sys
from pathlib import Path

import numpy as np

FAKES = Path(__file__).with_name("fake_programs.py")
# Number and name of the distribution and its version.
DISTRIBUTIONS = {"mm_segment": ("scripts", "2.0"), "TotalSegmentator": ("TotalSegmentator", "2.18.0")}
DISTRIBUTIONS |= {"nnUNetv2_predict_from_modelfolder": ("nnunetv2", "2.8.1")}
NNUNET = "nnUNetv2_predict_from_modelfolder"


def make_environment(folder, *programs):
    """A folder like a virtual environment, with a Python and these programs; returns it."""
    site = folder / "site"
    for place in (folder / "bin", site):
        place.mkdir(parents=True)
    python = f'#!/bin/sh\nPYTHONPATH="{site}" exec "{sys.executable}" "$@"\n'
    _script(folder / "bin" / "python", python)
    for program in programs:
        # Without site-packages beyond ours: the stand-ins need SimpleITK alone.
        _script(folder / "bin" / program, f'#!/bin/sh\nexec "{sys.executable}" "{FAKES}" {program} "$@"\n')
        name, version = DISTRIBUTIONS[program]
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder


def add_musclemap_weights(environment, *versions):
    """The package of MuscleMap with its weights, as it keeps them."""
    package = environment / "site" / "scripts"
    for version in versions:
        place = package / "models" / "wholebody" / f"v{version}"
        place.mkdir(parents=True)
        (place / "contrast_agnostic_wholebody_model.pth").write_bytes(b"weights")
    (package / "__init__.py").write_text("raise RuntimeError('nobody imports it')\n")


def add_totalsegmentator_weights(folder):
    """The five networks of the task ``total``; returns the folder."""
    for number in range(291, 296):
        (folder / f"Dataset{number}_TotalSegmentator_part").mkdir(parents=True)
    return folder


def make_trained_folder(folder, labels, folds=("0",), ending=".nii.gz", **dataset):
    """A folder as nnU-Net v2 leaves it, but without weights."""
    folder.mkdir(parents=True)
    content = {"channel_names": {"0": "CT"}, "labels": {"background": 0, **labels}, "numTraining": 3, "file_ending": ending}
    (folder / "dataset.json").write_text(json.dumps(content | dataset))
    (folder / "plans.json").write_text(json.dumps({"dataset_name": "Dataset901_Thighs", "configurations": {}}))
    for fold in folds:
        (folder / f"fold_{fold}").mkdir()
        (folder / f"fold_{fold}" / "checkpoint_final.pth").write_bytes(b"weights")
    return folder


def plan(monkeypatch, folder, do="segment", **facts):
    """Tell the stand-ins what to do; returns the file of their notes."""
    note = folder / "note.jsonl"
    monkeypatch.setenv("FAKE_PROGRAM", json.dumps({"do": do, "note": str(note), **facts}, default=str))
    return note


def notes(path):
    """What the stand-ins noted so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def written_labels(path, labels, geometry, values):
    """A label map whose values are those of another program: `values` by our labels; all others become background."""
    import SimpleITK as sitk

    table = np.zeros(256, np.uint16)
    for label, value in values.items():
        table[label] = value
    sitk.WriteImage(geometry.image_of(table[labels]), str(path))
    return path


def _script(path, text):
    path.write_text(text)
    os.chmod(path, 0o755)

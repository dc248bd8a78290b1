"""What may happen to a bundle's folder by accident or design; every function does one thing to a folder."""

import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def edit_manifest(folder: Path, **entries) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **entries}), "utf-8")


def list_file(folder: Path, name: str, data: bytes | None = None) -> None:
    """Put `name` into the manifest, as one who wants it read would."""
    files = json.loads((folder / "bundle.json").read_text("utf-8"))["files"]
    content = (folder / name).read_bytes() if data is None else data
    edit_manifest(folder, files={**files, name: hashlib.sha256(content).hexdigest()})


def one_byte(folder):
    path = folder / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def one_letter_of_the_card(folder):
    path = folder / "MODEL_CARD.md"
    path.write_bytes(path.read_bytes().replace(b"research", b"Research"))


def other_calibration(folder):
    (folder / "calibration.json").write_text("{}")


def parent_path(folder):
    (folder.parent / "x").write_bytes(b"secret")
    list_file(folder, "../x")


def absolute_path(folder):
    list_file(folder, str(folder / "MODEL_CARD.md"))


def windows_path(folder):
    list_file(folder, "..\\x", b"secret")


def stray_pickle(folder):
    (folder / "weights.pkl").write_bytes(pickle.dumps({}))


def listed_pickle(folder):
    stray_pickle(folder)
    list_file(folder, "weights.pkl")


def torch_file(folder):
    torch.save({}, folder / "weights.pt")
    list_file(folder, "weights.pt")


def folder_inside(folder):
    (folder / "more").mkdir()


def newer_format(folder):
    edit_manifest(folder, format_version=99)


def truncated_manifest(folder):
    path = folder / "bundle.json"
    path.write_bytes(path.read_bytes()[:200])


def manifest_of_garbage(folder):
    (folder / "bundle.json").write_bytes(b"\xff\xfe\x00garbage")


def deeply_nested_manifest(folder):
    (folder / "bundle.json").write_text("[" * 100_000)


def manifest_of_something_else(folder):
    (folder / "bundle.json").write_text('{"format": "other"}')


def no_manifest(folder):
    (folder / "bundle.json").unlink()


def no_folder(folder):
    shutil.rmtree(folder)


def no_weights(folder):
    (folder / "weights.safetensors").unlink()


def weights_not_listed(folder):
    files = json.loads((folder / "bundle.json").read_text("utf-8"))["files"]
    (folder / "weights.safetensors").unlink()
    edit_manifest(folder, files={key: value for key, value in files.items() if key != "weights.safetensors"})


def calibration_not_listed(folder):
    files = json.loads((folder / "bundle.json").read_text("utf-8"))["files"]
    edit_manifest(folder, files={key: value for key, value in files.items() if key != "calibration.json"})


def calibration_that_is_a_list(folder):
    other_calibration(folder)
    (folder / "calibration.json").write_text("[1, 2]")
    list_file(folder, "calibration.json")


def calibration_that_is_no_json(folder):
    (folder / "calibration.json").write_text("{'a': 1")
    list_file(folder, "calibration.json")


def words_for_numbers(folder):
    edit_manifest(folder, network={"levels": "six"})


def half_a_level(folder):
    edit_manifest(folder, network={"levels": 3.5})


def window_of_letters(folder):
    edit_manifest(folder, preprocessing={"hu_window": ["a", "b"]})


def no_value_range(folder):
    edit_manifest(folder, preprocessing={"value_range": None})


def endless_value_range(folder):
    edit_manifest(folder, preprocessing={"value_range": [0, float("inf")]})


DAMAGES = [
    *(one_byte, one_letter_of_the_card, other_calibration, parent_path, absolute_path, windows_path, stray_pickle),
    *(listed_pickle, torch_file, folder_inside, newer_format, truncated_manifest, manifest_of_garbage),
    *(deeply_nested_manifest, manifest_of_something_else, no_manifest, no_folder, no_weights, weights_not_listed),
    *(calibration_not_listed, calibration_that_is_a_list, calibration_that_is_no_json, words_for_numbers),
    *(half_a_level, window_of_letters, no_value_range, endless_value_range),
]


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def pickle_in_disguise(folder):
    (folder / "weights.safetensors").write_bytes(pickle.dumps(Bomb()))


def too_few_weights(folder):
    save_file({"head.bias": torch.zeros(23)}, folder / "weights.safetensors")


def wrong_shape(folder):
    state = load_file(folder / "weights.safetensors")
    save_file({**state, "head.bias": torch.zeros(22)}, folder / "weights.safetensors")


def infinite_number(folder):
    state = load_file(folder / "weights.safetensors")
    save_file({**state, "head.bias": torch.full((23,), float("inf"))}, folder / "weights.safetensors")


def whole_numbers(folder):
    state = load_file(folder / "weights.safetensors")
    save_file({**state, "head.bias": torch.zeros(23, dtype=torch.int64)}, folder / "weights.safetensors")

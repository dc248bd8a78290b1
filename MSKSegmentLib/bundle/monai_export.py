"""A bundle as a MONAI bundle: the network as TorchScript with its preprocessing, for programs that run those."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import RESEARCH_USE_ONLY
from ..errors import BundleError
from ..output.filling import whole_folder
from ..output.places import check_new_folder
from .store import ModelBundle

_METADATA, _INFERENCE, _MODEL, _README, _LICENSE = (
    "configs/metadata.json",
    "configs/inference.json",
    "models/model.ts",
    "docs/README.md",
    "LICENSE",
)
_FILES = ("configs", "models", "docs", _LICENSE)
_SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
# To the patient's left, posterior and superior.
_AXES = "LPS"
_AXIS_ENDS = [["L", "R"], ["P", "A"], ["I", "S"]]
# What MONAI takes for "as it is".
_AS_IT_IS = -1.0


def export_monai(bundle: ModelBundle, folder: Path) -> None:
    """Write a new folder with the MONAI bundle, which appears whole or not at all.

    Raises:
        BundleError: the network does not take slices alone, there are several, it stands behind a first stage, or a file of the
            bundle was altered.
        InputError: the folder holds something, or cannot be written.
    """
    from ..network.scripted_passes import scripted

    spec, preprocessing = bundle.manifest.network, bundle.manifest.preprocessing
    if bundle.manifest.members > 1:
        raise BundleError(f"{bundle.manifest.name} has several networks; write the bundles that it was joined of for MONAI.")
    network = bundle.load_network()
    if getattr(spec, "dimensions", 2) != 2 or getattr(network, "needs_position", False):
        raise BundleError(
            f"The network of {bundle.manifest.name} reads volumes or positions; only networks of slices can be written for MONAI."
        )
    if preprocessing.first_stage is not None:
        raise BundleError(
            f"The network of {bundle.manifest.name} sees scans behind a first stage, which is not written for MONAI; export the "
            "network before it, or another bundle."
        )
    _check(folder)
    air, passes = preprocessing.value_range[0], bundle.manifest.passes
    script = scripted(network, spec.in_channels, 2 ** (spec.levels - 1), air, passes, preprocessing.mirrored)
    with whole_folder(folder, "MONAI bundle", _LICENSE, _FILES, _check) as partial:
        for name in ("configs", "models", "docs"):
            (partial / name).mkdir()
        script.save(str(partial / _MODEL))
        (partial / _METADATA).write_text(_pretty(_metadata(bundle)), encoding="utf-8")
        (partial / _INFERENCE).write_text(_pretty(_inference(bundle)), encoding="utf-8")
        (partial / _README).write_text(_readme(bundle), encoding="utf-8")
        (partial / _LICENSE).write_text(f"{bundle.manifest.license}\n", encoding="utf-8")


def _check(folder: Path) -> None:
    check_new_folder(folder, _FILES)


def _pretty(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _metadata(bundle: ModelBundle) -> dict[str, Any]:
    manifest, low_high = bundle.manifest, list(bundle.manifest.preprocessing.value_range)
    classes = {"0": "background", **{str(one.index): one.name for one in bundle.table.structures}}
    image = {
        "type": "image",
        "format": "hounsfield",
        "modality": "CT",
        "num_channels": 1,
        "spatial_shape": ["*", "*", "*"],
        "dtype": "float32",
        "value_range": low_high,
        "is_patch_data": False,
        "channel_def": {"0": "image"},
    }
    pred = {
        "type": "image",
        "format": "segmentation",
        "num_channels": len(classes),
        "spatial_shape": ["*", "*", "*"],
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": False,
        "channel_def": classes,
    }
    return {
        "schema": _SCHEMA,
        "version": manifest.version,
        "changelog": {manifest.version: f"written by MSKSegment from its bundle with the digest {bundle.digest}"},
        "monai_version": _version("monai", "1.5.0"),
        "pytorch_version": _version("torch", "2.4.0"),
        "numpy_version": _version("numpy", "1.26.0"),
        "required_packages_version": {"nibabel": "5.0.0", "fire": "0.6.0"},
        "supported_apps": {},
        "name": manifest.name,
        "task": "Segmentation of structures in CT, sides not told apart",
        "description": manifest.description,
        "authors": "MSKSegment contributors",
        "copyright": "MSKSegment contributors",
        "license": manifest.license,
        "intended_use": RESEARCH_USE_ONLY,
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": pred}},
    }


def _version(package: str, otherwise: str) -> str:
    try:
        return metadata.version(package).partition("+")[0]
    except metadata.PackageNotFoundError:
        return otherwise


def _inference(bundle: ModelBundle) -> dict[str, Any]:
    preprocessing = bundle.manifest.preprocessing
    in_plane, interval = (value or _AS_IT_IS for value in (preprocessing.in_plane_spacing_mm, preprocessing.slice_interval_mm))
    (low, high), (bottom, top) = preprocessing.hu_window, preprocessing.value_range
    window = {"a_min": low, "a_max": high, "b_min": bottom, "b_max": top, "clip": True}
    back = {"transform": "@preprocessing", "orig_keys": "image", "nearest_interp": False, "to_tensor": True}
    saving = {"output_dir": "@output_dir", "output_postfix": "seg", "output_dtype": "$np.uint8", "resample": False}
    one = "@inferer(one['image'][None].to(@device), @network)[0].detach().cpu()"
    return {
        "imports": ["$import glob", "$import numpy as np", "$import torch"],
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/eval'",
        "dataset_dir": "$@bundle_root + '/data'",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": f"$torch.jit.load(@bundle_root + '/{_MODEL}', map_location=@device)",
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": "Orientationd", "keys": "image", "axcodes": _AXES, "labels": _AXIS_ENDS},
                {"_target_": "Spacingd", "keys": "image", "pixdim": [in_plane, in_plane, interval], "mode": "bilinear"},
                {"_target_": "ScaleIntensityRanged", "keys": "image", **window},
                {"_target_": "EnsureTyped", "keys": "image"},
            ],
        },
        "dataset": {"_target_": "Dataset", "data": "$[{'image': one} for one in @datalist]", "transform": "@preprocessing"},
        "inferer": {"_target_": "SimpleInferer"},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Invertd", "keys": "pred", **back},
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", **saving},
            ],
        },
        "run": [f"$list(map(lambda one: @postprocessing({{'image': one['image'], 'pred': {one}}}), @dataset))"],
    }


def _readme(bundle: ModelBundle) -> str:
    manifest = bundle.manifest
    mirrored = ", every second one in a mirror" if manifest.preprocessing.mirrored else ""
    names = "\n".join(f"| {one.index} | {one.name} |" for one in bundle.table.structures)
    return f"""# {manifest.name} {manifest.version} for MONAI

**{RESEARCH_USE_ONLY}**

```
python -m monai.bundle run --config_file configs/inference.json --bundle_root . --dataset_dir CT --output_dir OUT
```

`CT` is a folder of NIfTI files (.nii.gz) in Hounsfield units. A label map of each goes to OUT, on the image's own grid.

What was written here is the network and what comes before it: axes to the patient's left, posterior and superior, its grid,
its window. `models/model.ts` maps `[1, 1, x, y, z]` to class probabilities, the mean over {manifest.passes} passes with
dropout{mirrored}; its method `one_pass` is a single one. What MSKSegment adds is not here: right and left, loose pieces,
measurements, uncertainty, calibrated lights. Its own resampling averages over pixels, MONAI's interpolates, so that borders
differ a little.

| Value | Structure, both sides |
|---|---|
{names}

Licence: {manifest.license}. The card of the bundle that this was made of (its digest: {bundle.digest}):

{bundle.card}
"""

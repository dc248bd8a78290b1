"""A MONAI bundle made with the real library: a network of one convolution that tells bone and soft tissue apart by their HU."""

import json

# Value in the label map -> name, as a bundle states it.
CHANNELS = {"0": "background", "1": "Femur", "2": "vastus lateralis"}


def write_monai_bundle(folder, **metadata):
    """Write it with its weights; its configuration needs no package beyond MONAI, nibabel and fire."""
    import torch

    for place in ("configs", "models"):
        (folder / place).mkdir(parents=True)
    content = {
        "name": "Two tissues",
        "version": "0.1.0",
        "monai_version": "1.5.0",
        "copyright": "for tests alone",
        "network_data_format": {
            "inputs": {"image": {"type": "image", "modality": "CT", "num_channels": 1}},
            "outputs": {"pred": {"type": "image", "num_channels": 3, "channel_def": CHANNELS}},
        },
    }
    (folder / "configs" / "metadata.json").write_text(json.dumps(content | metadata))
    (folder / "configs" / "inference.json").write_text(json.dumps(_configuration()))
    network = torch.nn.Conv3d(1, 3, 1)
    with torch.no_grad():
        # Lines over HU / 1000: background up to -0.02, soft tissue up to 0.3, bone from there on.
        network.weight[:] = torch.tensor([0.0, 110.0, 10.0]).reshape(3, 1, 1, 1, 1)
        network.bias[:] = torch.tensor([0.0, -29.8, 0.2])
    torch.save(network.state_dict(), folder / "models" / "model.pt")
    return folder


def _configuration():
    return {
        "imports": ["$import glob", "$import torch"],
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/eval'",
        "dataset_dir": "/nowhere",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 3, "kernel_size": 1},
        "network": "$@network_def.to(@device)",
        "weights": "$@network.load_state_dict(torch.load(@bundle_root + '/models/model.pt', map_location=@device))",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": -1000, "a_max": 1000, "b_min": -1, "b_max": 1},
            ],
        },
        "dataset": {"_target_": "Dataset", "data": "$[{'image': one} for one in @datalist]", "transform": "@preprocessing"},
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [32, 32, 16]},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir", "output_postfix": "trans"},
            ],
        },
        "images": "$[one['image'] for one in @dataset]",
        "predictions": "$list(map(lambda one: @inferer(one[None].to(@device), @network)[0].detach(), @images))",
        "run": ["@weights", "$list(map(lambda one: @postprocessing({'pred': one}), @predictions))"],
    }

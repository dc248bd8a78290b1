"""What a small bundle is made of."""

import torch

from MSKSegmentLib.bundle import Manifest, NetworkSpec, Preprocessing
from MSKSegmentLib.network.bayesian_unet import BayesianUNet

SPEC = NetworkSpec(levels=3, base_filters=4, in_channels=3)
MANIFEST = Manifest(
    name="hip",
    version="1.0",
    description="A small network.",
    date="2026-01-31",
    license="CC BY 4.0",
    network=SPEC,
    preprocessing=Preprocessing(in_plane_spacing_mm=1.0, slice_interval_mm=2.0),
    passes=12,
)
CARD = "# Hip\n\nTrained on virtual patients;\nfor research only.\n\nMore: 左右.\n"
CALIBRATION = {
    "date": "2026-02-01",
    "structures": {"GMED": {"patients": 40, "slope": -134.25}, "OE": {"patients": 38, "slope": -20.5}},
    "source": "校正",
}


def network(seed: int = 0) -> BayesianUNet:
    torch.manual_seed(seed)
    built = BayesianUNet(3, 4, 23, 3)
    for key, buffer in built.named_buffers():
        if "running" in key:
            buffer.uniform_(0.5, 1.5)
    return built.eval()

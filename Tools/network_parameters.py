"""Parameters of the families of networks beside those of the publications or code that they come from, as a table in Markdown.

    python Tools/network_parameters.py

Counts of MONAI's own classes are taken from the installed MONAI; no network gets memory for its parameters.
"""

import monai
import torch
from monai.networks.nets import DynUNet, VNet

from MSKSegmentLib.network.families import build_network
from MSKSegmentLib.network.spec import NetworkSpec

PAPER = "Soufi et al. 2025"


def main():
    """Print the table."""
    with torch.device("meta"):
        for cells in (("Network", "Parameters", "Beside"), ("---", "---", "---"), *rows()):
            print("|", " | ".join(cells), "|")


def rows():
    """The cells of each row."""
    six, five = NetworkSpec(), NetworkSpec(levels=5, batch_norm=False)
    plain = counted(build_network(six))
    yield "`bayesian-unet`, 5 levels x 32, no batch norm, 23 classes", millions(counted(build_network(five))), f"{PAPER}: ~10 M"
    yield "`bayesian-unet`, 6 levels x 32, batch norm, 23 classes", millions(plain), f"{PAPER}: ~44 M"
    for family, what in (("attention-unet", "gates"), ("spatial-channel-unet", "layer of positions")):
        number = counted(build_network(NetworkSpec(family=family)))
        yield (
            f"`{family}`, 6 levels x 32, 23 classes",
            millions(number),
            f"the U-Net in it {millions(plain)}, {what} {number - plain:,}",
        )
    for family, theirs in zip(("bayesian-unet", "attention-unet", "spatial-channel-unet"), henson(), strict=True):
        number = counted(build_network(NetworkSpec(levels=5, base_filters=64, classes=38, family=family)))
        yield f"`{family}`, 5 levels x 64, 38 classes", millions(number), f"code of Henson et al. 2024: {millions(theirs)}"
    ours = NetworkSpec(levels=5, base_filters=16, classes=2, family="vnet", dimensions=3, patch=(32, 32, 32))
    yield "`vnet`, 5 levels x 16, 2 classes", millions(counted(build_network(ours))), monais("VNet", VNet(3, 1, 2, "prelu"))
    for axes, filters in ((3, (32, 64, 128, 256, 320, 320)), (2, (32, 64, 128, 256, 512, 512))):
        patch = (64, 64, 64) if axes == 3 else ()
        spec = NetworkSpec(levels=6, classes=23, batch_norm=False, family="dynunet", dimensions=axes, patch=patch)
        strides = [1, *[2] * 5]
        norm = ("instance", {"affine": True})
        theirs = DynUNet(axes, 1, 23, [3] * 6, strides, strides[1:], filters=filters, norm_name=norm)
        yield f"`dynunet` in {axes}D, 6 levels x 32, 23 classes", millions(counted(build_network(spec))), monais("DynUNet", theirs)


def henson(filters=(64, 128, 256, 512, 1024), classes=38, positions=100):
    """U-Net, Attention U-Net and Spatial-Channel U-Net of the layers that the code of Henson et al. 2024 builds.

    Two 3x3 convolutions without bias and batch norm at each level, 2x2 transposed convolutions that halve the channels, a 1x1 head;
    gates on all skips, with batch norm; a linear layer from the positions to the classes.
    """
    halves = filters[:-1]
    encoder = sum(_double(before, after) for before, after in zip((1, *halves), filters, strict=True))
    decoder = sum(8 * one * one + one + _double(2 * one, one) for one in halves)
    unet = encoder + decoder + filters[0] * classes + classes
    gates = sum(3 * one * one + 7 * one + 8 for one in halves)
    return unet, unet + gates, unet + positions * classes + classes


def _double(before, after):
    """Two convolutions of 3x3 without bias, each with batch norm."""
    return 9 * after * (before + after) + 4 * after


def counted(network):
    """Parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def monais(name, network):
    """MONAI's own class, with its count."""
    return f"{name} of MONAI {monai.__version__}: {millions(counted(network))}"


def millions(number):
    """In millions, with thousands behind the point."""
    return f"{number / 1e6:.3f} M"


if __name__ == "__main__":
    main()

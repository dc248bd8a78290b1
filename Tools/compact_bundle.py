"""Round a bundle's kernels so that they compress well, for the bundle that comes with the software: each version of it stays in the
history of every clone.

    python Tools/compact_bundle.py BUNDLE -o NEW --version V

Of each filter 255 values remain, multiples of a power of two up to its largest weight, as 8-bit integers have. The new bundle has
no calibration: calibrate it before use, so that lights hold for the weights as they are shipped.
"""

import argparse
import zlib
from pathlib import Path

import torch

from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.bundle.updating import update_weights
from MSKSegmentLib.bundle.weights import decode_weights, weights_files

_LARGEST = 127


def rounded(kernel: torch.Tensor) -> torch.Tensor:
    """A kernel ``[filters, ...]`` on a grid per filter: at most 127 steps of a power of two to either side of 0."""
    rows = kernel.double().reshape(len(kernel), -1)
    largest = rows.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float16).tiny)
    step = torch.exp2(torch.ceil(torch.log2(largest / _LARGEST)))
    return (torch.round(rows / step) * step).reshape(kernel.shape).to(kernel.dtype)


def main() -> None:
    """Write the new bundle, and say how far the weights moved and what they compress to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--version", required=True)
    options = parser.parse_args()
    bundle = resolve_bundle(options.bundle)
    (name,) = weights_files(bundle.manifest.members)
    before = decode_weights(bundle.read_file(name), bundle.manifest.network).state_dict()
    state = {key: rounded(value) if value.ndim > 1 else value for key, value in before.items()}
    new = update_weights(bundle, state, bundle.card, options.output, options.version)
    kernels = [key for key in state if state[key].ndim > 1]
    moved = sum(float(((state[key] - before[key]) ** 2).sum()) for key in kernels)
    whole = sum(float((before[key] ** 2).sum()) for key in kernels)
    sizes = [len(zlib.compress(one.read_file(name), 9)) / 1e6 for one in (bundle, new)]
    print(f"Kernels moved by {(moved / whole) ** 0.5:.1%} (root mean square); compressed {sizes[0]:.1f} to {sizes[1]:.1f} MB.")


if __name__ == "__main__":
    main()

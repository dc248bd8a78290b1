"""The scan and the result that the pictures of panel, page and tour show: the bundled sample CT with the noise of a low dose.

    python Docs/picture_result.py OUT       segment it into OUT; the other scripts in this folder take OUT

With noise not nearly all is green.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from MSKSegmentLib.ct import read_ct  # noqa: E402
from MSKSegmentLib.ct.volume import CTVolume  # noqa: E402

NAME = "Sample CT, low dose (simulated)"
HEIGHT_CM = 165
NOISE_HU = 40


def noisy_sample() -> CTVolume:
    """The scan."""
    sample = read_ct(ROOT / "MSKSegmentLib" / "Resources" / "SampleCT" / "sample_ct.nii.gz")
    noise = np.random.default_rng(1).normal(0, 1, sample.hu.shape).astype(np.float32)
    # Neighbouring pixels share noise, as after reconstruction.
    noise = ndimage.gaussian_filter(noise, (0, 0.7, 0.7))
    noisy = np.clip(np.rint(sample.hu + NOISE_HU / noise.std() * noise), -1024, 3071).astype(np.int16)
    return CTVolume(noisy, sample.geometry)


def segment(out: Path) -> None:
    """Segment the scan into a result folder that holds it."""
    import SimpleITK as sitk

    volume = noisy_sample()
    image = sitk.GetImageFromArray(volume.hu)
    image.SetOrigin(volume.geometry.origin)
    image.SetSpacing(volume.geometry.spacing)
    image.SetDirection(np.asarray(volume.geometry.direction).ravel().tolist())
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "sample_ct_low_dose.nrrd"
        sitk.WriteImage(image, str(path), useCompression=True)
        command = [
            sys.executable,
            "-m",
            "MSKSegmentLib",
            "segment",
            path,
            "-o",
            out,
            f"--height-cm={HEIGHT_CM}",
            "--seed=4",
            "--keep-ct",
        ]
        subprocess.run([str(word) for word in command], cwd=ROOT, check=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    segment(Path(sys.argv[1]))

"""Made-up bodies for tests of the comparison with real scans: known tissues, noise and bones."""

import numpy as np
import SimpleITK as sitk

from MSKSegmentLib.ct.volume import CTVolume, Geometry

SPACING = (6.0, 3.0, 3.0)
FIELD_MM = (390.0, 264.0, 390.0)


def body_volume(
    spacing=SPACING,
    noise_hu=12.0,
    seed=0,
    size=1.0,
    muscle_hu=45.0,
    skin_mm=0.0,
    cortex_hu=800.0,
    first_mm=0.0,
    length_mm=None,
    stretch=1.0,
):
    """Hips over two thighs: skin, 36 mm of fat, muscle, hollow bones of a shape that changes from level to level.

    The image shows the body from `first_mm` over its lowest level on, on a grid of `spacing` ``(z, y, x)``; `size` scales it in
    plane and `stretch` along z.
    """
    from scipy import ndimage

    length = FIELD_MM[0] if length_mm is None else length_mm
    # Made on a finer grid and averaged down, as a scanner's voxels are.
    fine = 2 if min(spacing[1:]) > 1.5 else 1
    count = [round(length / spacing[0]), *(fine * round(f / s) for f, s in zip(FIELD_MM[1:], spacing[1:], strict=True))]
    y, x = ((np.arange(n) - (n - 1) / 2) * s / fine / size for n, s in zip(count[1:], spacing[1:], strict=True))
    y, x = y[:, None], x[None, :]
    hu = np.full(count, -1000.0, np.float32)
    for k, plane in enumerate(hu):
        level = (first_mm + k * spacing[0]) / stretch
        trunk = level > 200
        bones = []
        if trunk:
            depth = 110 - np.sqrt((y / 1.0) ** 2 + (x / 1.55) ** 2)
            away = 40 + 0.35 * (level - 200)
            bones = [16 - np.hypot((y - 10) / 1.8, abs(x) - away), 14 - np.hypot(y - 55 + 0.1 * (level - 200), x)]
        else:
            depth = np.maximum(*(80 - np.hypot(y, x - side) for side in (-86, 86)))
            bones = [17 + 0.02 * (level - 100) - np.hypot(y, abs(x) - 86 + 0.1 * level)]
        plane[depth > 0] = 60.0 if skin_mm else -104.0
        plane[depth > skin_mm] = -104.0
        plane[depth > 36] = muscle_hu
        for inside in bones:
            plane[inside > 0] = cortex_hu
            plane[inside > 3] = 140.0
    hu = hu.reshape(count[0], count[1] // fine, fine, count[2] // fine, fine).mean(axis=(2, 4))
    hu = ndimage.gaussian_filter(hu, (0, 0.6 / spacing[1], 0.6 / spacing[2]))
    hu += np.random.default_rng(seed).normal(0, noise_hu, hu.shape)
    return CTVolume(np.rint(hu).astype(np.int16), Geometry(hu.shape[::-1], spacing[::-1]))


def write(volume, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(volume.geometry.image_of(volume.hu), str(path), useCompression=False)
    return path

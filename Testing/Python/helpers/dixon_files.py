"""Images in files, on a grid that is stated."""

import SimpleITK as sitk

from MSKSegmentLib.ct.volume import Geometry

SHAPE = (20, 40, 60)
SCAN = Geometry(size=SHAPE[::-1], spacing=(4.0, 4.0, 5.0))


def write_image(path, array, spacing=SCAN.spacing, origin=(0.0, 0.0, 0.0)):
    """Write an array ``[z, y, x]``, on the grid of `SCAN` unless told, and return the path."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(path))
    return path

"""Make the module's PNGs: its icon from the SVG, and the sample CT's thumbnail from the sample CT.

python Tools/make_icons.py
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

from MSKSegmentLib.ct import read_ct, to_working_grid

ROOT = Path(__file__).resolve().parents[1]
ICONS = ROOT / "MSKSegment" / "Resources" / "Icons"
ICON_SIZE = 128
# As the Sample Data module advises.
THUMBNAIL_SIZE = (260, 280)
WINDOW_HU = (-150, 350)


def icon(svg: Path) -> QImage:
    """The drawing as a square picture with a transparent ground."""
    image = QImage(ICON_SIZE, ICON_SIZE, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    QSvgRenderer(str(svg)).render(painter)
    painter.end()
    return image


def thumbnail(ct: Path) -> QImage:
    """A coronal slice of a CT through the middle of its bones, as seen from the front."""
    volume = to_working_grid(read_ct(ct)).volume
    bone = np.flatnonzero((volume.hu > 300).sum(axis=(0, 2)))
    plane = volume.hu[::-1, int(np.median(bone)), :].astype(np.float32)
    low, high = WINDOW_HU
    grey = np.ascontiguousarray(np.clip((plane - low) / (high - low) * 255, 0, 255).astype(np.uint8))
    slice_image = QImage(grey.data, grey.shape[1], grey.shape[0], grey.shape[1], QImage.Format.Format_Grayscale8)
    width, height = THUMBNAIL_SIZE
    x, _, z = volume.geometry.spacing
    scale = min(width / (grey.shape[1] * x), height / (grey.shape[0] * z))
    shown = (grey.shape[1] * x * scale, grey.shape[0] * z * scale)
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.black)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(QRectF((width - shown[0]) / 2, (height - shown[1]) / 2, *shown), slice_image)
    painter.end()
    return image


if __name__ == "__main__":
    application = QGuiApplication([])
    icon(ICONS / "MSKSegment.svg").save(str(ICONS / "MSKSegment.png"))
    thumbnail(ROOT / "MSKSegmentLib" / "Resources" / "SampleCT" / "sample_ct.nii.gz").save(str(ICONS / "SampleCT.png"))

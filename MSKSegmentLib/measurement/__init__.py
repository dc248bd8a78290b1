"""Numbers of each segment: volume, radiodensity, cross-section, truncation, asymmetry."""

from .asymmetry import asymmetry_percent
from .measure import measure, measure_one

__all__ = ["asymmetry_percent", "measure", "measure_one"]

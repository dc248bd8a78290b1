"""From the network's classes to a label map with sides."""

from .below_knee import KneeCut, cut_below_knee
from .beside import Undoubled, without_pieces_beside
from .components import Stray, clean_components
from .sides import SideResult, split_sides

__all__ = [
    "KneeCut",
    "SideResult",
    "Stray",
    "Undoubled",
    "clean_components",
    "cut_below_knee",
    "split_sides",
    "without_pieces_beside",
]

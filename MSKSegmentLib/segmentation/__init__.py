"""From the network's classes to a label map with sides."""

from .components import Stray, clean_components
from .sides import SideResult, split_sides

__all__ = ["SideResult", "Stray", "clean_components", "split_sides"]

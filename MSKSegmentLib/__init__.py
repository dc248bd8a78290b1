"""MSKSegment: hip and thigh muscle segmentation from CT that says when not to trust a number.

Research use only; not a medical device. Importing this package is cheap: torch, SimpleITK and
slicer are imported by the functions that use them.
"""

__version__ = "0.1.0"

RESEARCH_USE_ONLY = "Research use only. Not a medical device: never base a clinical decision on it alone."

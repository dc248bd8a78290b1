"""Checks of a scan: findings on its spacing, Hounsfield units, field of view and interpolated slices."""

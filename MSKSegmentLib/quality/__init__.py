"""Scores, calibration and the traffic light: whether the numbers of a segment can be trusted."""

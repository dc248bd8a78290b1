"""Scores, calibration and the traffic light: whether a segment's numbers can be trusted."""

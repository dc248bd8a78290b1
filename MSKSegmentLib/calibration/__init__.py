"""The calibration of the lights: observations of labelled cases, the fit, and the reports that assess it."""

"""What a run's lights are learned from: observations of labelled cases, the fit, and the reports that judge it."""

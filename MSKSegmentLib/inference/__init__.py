"""The Monte Carlo engine: slices in, label, uncertainty and running sums out. Needs torch."""

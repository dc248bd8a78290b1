"""Learning from sparse labels: single annotated slices first, then whole volumes through pseudo-labels that neighbours confirm."""

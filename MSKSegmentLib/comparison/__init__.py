"""Results of one patient at two or more dates: what changed, by more than both results may be wrong."""

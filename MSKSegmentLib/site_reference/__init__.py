"""Reference curves of a site: percentiles by age and sex from its own cohort, and where a result lies among them."""

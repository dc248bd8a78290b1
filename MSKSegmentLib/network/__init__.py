"""Networks and Monte Carlo dropout. Needs torch."""

"""Training of the network on virtual patients. Needs torch."""

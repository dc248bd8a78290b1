"""Learning from corrections: reviewed results become training cases, a bundle is fine-tuned, compared, and published if better."""

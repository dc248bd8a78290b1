"""Real CT beside virtual patients: the same quantities of both, by the same rules."""

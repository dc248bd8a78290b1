"""Two results of one CT beside each other: where they agree, where they differ most, and a structure taken from the other."""

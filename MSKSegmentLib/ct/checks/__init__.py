"""Is a CT fit for the method? Findings on its spacing, its Hounsfield units, its field of view and how it was made."""

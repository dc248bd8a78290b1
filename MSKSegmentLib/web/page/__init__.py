"""The page: its markup and state, and the panels that answer what is clicked."""

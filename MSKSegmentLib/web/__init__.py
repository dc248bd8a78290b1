"""The review in a browser: a page served to this computer alone, on the same scene and review code as the desktop module."""

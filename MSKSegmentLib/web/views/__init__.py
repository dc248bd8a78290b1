"""The open case in the scene of the views: what is drawn, and what is drawn on."""

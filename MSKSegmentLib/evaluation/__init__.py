"""Cases with true labels, and how well a segmentation of them is: overlap, surface distances, volumes, densities."""

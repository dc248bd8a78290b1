# Packaging and upload are left to Slicer's own scripts.

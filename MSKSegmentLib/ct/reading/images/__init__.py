"""Image files (NIfTI, NRRD, MetaImage): the facts in their headers, their voxels, and the regular grid of the voxels."""

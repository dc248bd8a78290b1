"""Image files (NIfTI, NRRD, MetaImage): the facts that their headers state, their voxels, and the regular grid of these."""

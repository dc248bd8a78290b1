"""Scans and label maps from DICOM, NIfTI, NRRD and MetaImage files: what a file states, reconciled; the rest is refused."""

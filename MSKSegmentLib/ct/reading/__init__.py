"""Reading scans and label maps from DICOM, NIfTI, NRRD and MetaImage: contradictions are reconciled, or the file is refused."""

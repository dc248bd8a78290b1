"""Results as DICOM objects of the scanned study: segmentation, measurements, uncertainty, report."""

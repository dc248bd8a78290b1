"""DICOM folders into one CT: headers, series, foreign images, pixels, the stack."""

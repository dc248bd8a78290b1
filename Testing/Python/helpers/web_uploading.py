"""Files sent to the page: DICOM slices, zips, and the upload itself."""

import io
import zipfile

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from MSKSegmentLib.errors import InputError
from MSKSegmentLib.web.case.uploads import Upload


def dicom_slice(position, series="1.2.3", pixels=64):
    """One CT slice as bytes."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID, data.SeriesInstanceUID = (
        CTImageStorage,
        meta.MediaStorageSOPInstanceUID,
        series,
    )
    data.Modality, data.SeriesNumber = "CT", 4
    data.Rows = data.Columns = pixels
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 1
    data.PixelSpacing, data.SliceThickness = [2.0, 2.0], 3.0
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.ImagePositionPatient = [0, 0, 3.0 * position]
    data.RescaleIntercept, data.RescaleSlope = 0, 1
    data.PixelData = np.full((pixels, pixels), position, np.int16).tobytes()
    file = io.BytesIO()
    pydicom.dcmwrite(file, data, enforce_file_format=True)
    return file.getvalue()


def zipped(entries, **options):
    """A zip of (name, bytes)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


def send(tmp_path, name, content, most=64 << 20, chunk=1 << 16, total=None):
    """Upload as the server does; the folder is left as `finish` or the refusal left it."""
    upload = Upload(tmp_path / "results", name, len(content) if total is None else total, most)
    try:
        for start in range(0, len(content), chunk):
            upload.write(content[start : start + chunk])
        return upload.finish()
    except InputError:
        upload.discard()
        raise

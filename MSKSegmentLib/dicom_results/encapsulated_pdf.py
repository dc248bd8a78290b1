"""The report for people, a PDF, as a DICOM object of the scanned study."""

from __future__ import annotations

import hashlib
from typing import Any

from .codes import ORGANIZATION
from .identity import MODEL, Identity, finish
from .source import SourceSeries

_NAME = "pdf"
_STORAGE = "1.2.840.10008.5.1.4.1.1.104.1"


def encapsulated_pdf(pdf: bytes, source: SourceSeries, identity: Identity) -> Any:
    """An Encapsulated PDF data set that refers to every image of the scanned series."""
    from highdicom.base import SOPClass
    from pydicom.dataset import Dataset
    from pydicom.uid import ExplicitVRLittleEndian

    first = source.first
    # Two reports of one result may differ: in their language, for example.
    series = identity.series(f"{_NAME} {hashlib.sha256(pdf).hexdigest()}", 4, "report")
    data = SOPClass(
        study_instance_uid=first.StudyInstanceUID,
        sop_class_uid=_STORAGE,
        modality="DOC",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        patient_id=first.PatientID,
        patient_name=first.PatientName,
        patient_birth_date=first.PatientBirthDate,
        patient_sex=first.PatientSex,
        accession_number=first.AccessionNumber,
        study_id=first.StudyID,
        study_date=first.StudyDate,
        study_time=first.StudyTime,
        referring_physician_name=first.get("ReferringPhysicianName"),
        **series,
    )
    data.ConversionType = "WSD"
    data.BurnedInAnnotation = "YES"
    data.AcquisitionDateTime = None
    data.DocumentTitle = f"{MODEL} report, research use only"
    data.ConceptNameCodeSequence = []
    data.MIMETypeOfEncapsulatedDocument = "application/pdf"
    data.EncapsulatedDocumentLength = len(pdf)
    # DICOM values have an even number of bytes.
    data.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    data.Manufacturer = ORGANIZATION
    data.SourceInstanceSequence = []
    for image in source.images:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
        data.SourceInstanceSequence.append(reference)
    return finish(data, identity, first)

"""The patient's height from the DICOM files that a volume was loaded from."""

from .dicomSeries import instancesOfVolume, openDatabase

_PATIENT_SIZE = "0010,1020"


def heightOfVolume(ctNode):
    """Height in cm where the volume's DICOM header gives one, else None. The database is only read."""
    uids, database = instancesOfVolume(ctNode), openDatabase()
    if not uids or database is None:
        return None
    path = database.fileForInstance(uids[0])
    try:
        metres = float(database.fileValue(path, _PATIENT_SIZE)) if path else 0.0
    except ValueError:
        return None
    return 100 * metres if _plausible(metres) else None


def _plausible(metres):
    # Some scanners write zero for "not given", some centimetres.
    from MSKSegmentLib.measurement.volume import HEIGHT_RANGE_M

    return HEIGHT_RANGE_M[0] <= metres <= HEIGHT_RANGE_M[1]

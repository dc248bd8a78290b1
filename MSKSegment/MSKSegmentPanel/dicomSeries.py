"""The DICOM series that a volume was loaded from, as Slicer's DICOM database knows it. The database is only read. No qt."""

import os

import slicer

from MSKSegmentLib.ct.dicom_source import SeriesIdentity
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.language.catalogue import tr as _

_STUDY, _SERIES = "0020,000D", "0020,000E"


def instancesOfVolume(ctNode):
    """The SOP instance UIDs that Slicer noted when it loaded the volume from its database; empty for other files."""
    return tuple(dict.fromkeys((ctNode.GetAttribute("DICOM.instanceUIDs") or "").split())) if ctNode else ()


def openDatabase():
    """Slicer's DICOM database, or None while it is closed."""
    database = getattr(slicer, "dicomDatabase", None)
    return database if database is not None and database.isOpen else None


def seriesOfVolume(ctNode):
    """The `SeriesIdentity` of the volume's series, or None where the database does not tell it."""
    instances, database = instancesOfVolume(ctNode), openDatabase()
    path = database.fileForInstance(instances[0]) if instances and database is not None else ""
    if not path:
        return None
    study, series = database.fileValue(path, _STUDY), database.fileValue(path, _SERIES)
    return SeriesIdentity(study, series, instances) if study and series else None


def folderOfSeries(series):
    """The folder in which the files of a `SeriesIdentity` lie.

    Raises:
        InputError: the database does not have all of them any more, or they lie in several folders.
    """
    database = openDatabase()
    paths = [database.fileForInstance(uid) if database is not None else "" for uid in series.instances]
    if not all(path and os.path.isfile(path) for path in paths):
        raise InputError(
            _(
                "DICOM results copy patient and study from the scanned series, and Slicer's DICOM database does not have all "
                "images of this CT; import the series with Slicer's DICOM module again."
            )
        )
    folders = {os.path.dirname(os.path.abspath(path)) for path in paths}
    if len(folders) > 1:
        raise InputError(
            _(
                "The images of this CT lie in several folders; import the series with Slicer's DICOM module again and choose to "
                "copy the files."
            )
        )
    return folders.pop()

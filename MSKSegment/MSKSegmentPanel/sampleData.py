"""The bundled sample CT in Slicer's Sample Data module. It comes with the extension: nothing is downloaded."""

import hashlib
import os

from MSKSegmentLib.language.catalogue import tr as _

CATEGORY = "MSKSegment"
SAMPLE_NAME = "MSKSegmentSampleCT"
NODE_NAME = "Sample CT (simulated)"


def sampleFile():
    """The installed file of the sample CT, a `pathlib.Path`.

    Raises:
        InstallationError: the installation is incomplete.
    """
    from MSKSegmentLib.resources import resource_file

    return resource_file("SampleCT", "sample_ct.nii.gz")


def registerSampleData():
    """Add the sample CT to the Sample Data module; connect it to the application's signal startupCompleted()."""
    try:
        import SampleData
    except ImportError:
        # Slicer was started without this module.
        return
    file = sampleFile()
    thumbnail = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Resources", "Icons", "SampleCT.png")
    logic = SampleData.SampleDataLogic
    if hasattr(logic, "registerCustomSampleDataCategory"):
        logic.registerCustomSampleDataCategory(CATEGORY, title=_("MSKSegment"))
    logic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=SAMPLE_NAME,
        thumbnailFileName=thumbnail,
        # The module copies the file into its cache, also from this computer; the checksum makes it notice a newer one.
        uris=file.as_uri(),
        fileNames=SAMPLE_NAME + ".nii.gz",
        checksums="SHA256:" + hashlib.sha256(file.read_bytes()).hexdigest(),
        nodeNames=NODE_NAME,
    )

"""What the module says of itself: title, help text, acknowledgements, and the text of the About box (HTML, translatable)."""

from MSKSegmentLib import RESEARCH_USE_ONLY, __version__
from MSKSegmentLib.language.catalogue import tr as _

TITLE = "MSKSegment"
PAPER = (
    "Soufi M, Otake Y, Iwasa M, et al. <i>Validation of musculoskeletal segmentation model with uncertainty estimation for bone "
    "and muscle assessment in hip-to-knee clinical CT images.</i> Scientific Reports 2025;15:125. "
    '<a href="https://doi.org/10.1038/s41598-024-83793-7">doi:10.1038/s41598-024-83793-7</a>'
)
ATLAS = '<a href="https://doi.org/10.56902/COB.vh.2022.0">doi:10.56902/COB.vh.2022.0</a>'


def helpText():
    """For the Help section that Slicer shows above the panel."""
    what = _(
        "Segments 3 bones and 19 muscles of hip and thigh in a CT, measures each of them on either side, and says by a "
        "traffic light which numbers not to trust."
    )
    how = _(
        "Choose the CT, click <b>Segment</b>, look at the rows that are flagged, correct or accept them, and export. "
        "To try it, load the sample CT from the module Sample Data, category MSKSegment."
    )
    return _paragraphs(what, how, _bold(_(RESEARCH_USE_ONLY)))


def acknowledgementText():
    """For the Acknowledgement section: the method, and where model and sample CT come from."""
    origin = _(
        "The bundled model and the sample CT are made from the musculoskeletal geometry of the Visible Human Female and Male "
        "by the University of Denver (CC BY 4.0, {atlas}), with hip bones and femora of the Bone Mesh Female Toolkit "
        "(zlib licence), both altered. The bodies: Visible Human Project, U.S. National Library of Medicine."
    ).format(atlas=ATLAS)
    return _paragraphs(_method(), origin)


def aboutText():
    """For the About box."""
    what = _(
        "Bayesian segmentation of hip and thigh in CT. The network looks at every slice several times with random parts "
        "switched off. Where its answers differ, the result is uncertain; a calibration turns that uncertainty into the "
        "traffic lights and into a predicted Dice coefficient."
    )
    limits = _(
        "A green light is no proof. The bundled model was trained and calibrated on <i>virtual patients</i>, simulated "
        "from the anatomy of two bodies, and is not validated on CT of patients. It cannot see muscle that it missed altogether."
    )
    privacy = _(
        "<b>Nothing leaves this computer.</b> Images are processed here, without network access and without telemetry. "
        "The internet is used only to install PyTorch and other Python packages, after asking, when they are missing."
    )
    licence = _("Software: Apache License 2.0. Bundled model and sample CT: CC BY 4.0.")
    heading = "<h3>" + TITLE + " " + __version__ + "</h3>"
    return heading + _paragraphs(_bold(_(RESEARCH_USE_ONLY)), what, limits, privacy, _method(), licence)


def _method():
    return _("The method follows: {paper}").format(paper=PAPER)


def _bold(text):
    return "<b>" + text + "</b>"


def _paragraphs(*texts):
    return "".join("<p>" + text + "</p>" for text in texts)

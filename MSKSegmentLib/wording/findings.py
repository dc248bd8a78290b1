"""Findings about a scan in the reader's language.

A finding's sentence is English and holds its numbers. In other languages what its code means is told first, and the sentence stands
below it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..findings import Finding
from ..language.catalogue import ENGLISH, Words, catalogue_of
from ..language.catalogue import noted as N_
from ..language.forms import told
from ..quality.guards import SCAN_CAUTIONS

# What the codes of warnings mean; those of `SCAN_CAUTIONS` are told as they are there.
MEANINGS = {
    "back_end": N_("another library than planned computed the network"),
    "bone_density": N_("bone mineral density is volumetric, by the line in this sentence; it is not DXA"),
    "bytes_left_over": N_("the file holds more data than its header announces"),
    "completed_headers": N_("some slices lack orientation or pixel spacing; those of the others were taken"),
    "contradicting_position": N_("the file contradicts itself about its position"),
    "copied_slices": N_("copies of slices were left out"),
    "cut_in_plane": N_("the body is cut off at the border of the image"),
    "dixon_exchanged": N_("the fat and the water image were probably exchanged"),
    "dixon_uncovered": N_("the fat and water images do not cover all muscles"),
    "fewer_passes": N_("slices that had settled got fewer dropout passes"),
    "fine_slices": N_("the slice interval is unusually fine"),
    "form_not_usable": N_("one of the file's two statements of its axes is not usable; the other was taken"),
    "gantry_tilt": N_("the gantry was tilted; the slices were shifted back"),
    "images_left_out": N_("images of the series were left out"),
    "imported": N_("the segmentation is that of another program"),
    "impossible_height": N_("the header's height of the patient is impossible and was ignored"),
    "implausible_labels": N_("the segmentation does not fit this CT, or parts of it do not"),
    "incomplete_structure": N_("the imported segmentation lacks parts of a structure"),
    "joined_series": N_("images with series numbers of their own were taken for one series"),
    "labels_beyond_ct": N_("a part of the segmentation lies outside the CT and was not measured"),
    "labels_cropped": N_("the segmentation's own grid ends inside the CT and cuts structures"),
    "labels_overlap": N_("structures of the imported segmentation overlap"),
    "labels_resampled": N_("the imported segmentation was brought onto the voxels of this CT"),
    "merged_structure": N_("structures are one in the imported segmentation and were measured as one"),
    "metal": N_("the scan shows metal"),
    "missing_in_mask": N_("the segmentation lacks structures that the network finds"),
    "mixed_intervals": N_("the slice interval varies; the scan was brought to one interval"),
    "no_hip_or_thigh": N_("the scan seems to show neither hip nor thigh"),
    "noisy": N_("noise makes a part of lean muscle look like fat"),
    "not_judged": N_("the segmentation was not judged; nothing says what of it can be trusted"),
    "not_rated": N_("the segmentation was compared with the network, which is not calibrated to judge it"),
    "nothing_found": N_("no bone or muscle was found"),
    "oblique": N_("the scan lies oblique to the body and was turned upright"),
    "other_convention": N_("the program that drew the imported segmentation draws by another convention"),
    "position_not_stated": N_("the file does not state its position"),
    "preview": N_("this is a preview: outlines and numbers are rough and nothing is rated"),
    "rated": N_("the lights compare the segmentation with the network; where both disagree, either may be right"),
    "region": N_("only a region of interest was segmented"),
    "short": N_("the scan covers only a short part of the body"),
    "sides_exchanged": N_("right and left of the imported segmentation are exchanged"),
    "sides_from_anatomy": N_("right and left of the imported segmentation were taken from the anatomy"),
    "side_unsure": N_("a part of a segment may belong to the other side"),
    "piece_beside": N_("a piece beside a muscle was labelled as that muscle"),
    "sides_from_pairs": N_("the task has no bones; right and left were told from pairs of muscles"),
    "spacing_of_voxel_size": N_("the voxel size was taken for the spacing, which the file does not state"),
    "template_space": N_("one of the file's two frames is that of a template; the scanner's was taken"),
    "tight_borders": N_("the borders lie inside the network's, perhaps by convention"),
    "unit_converted": N_("the file's lengths were converted to millimetres"),
    "unknown_labels": N_("labels of the imported segmentation are no structure that is measured"),
    "unseen_tilt": N_("the header names a gantry tilt that the slice positions do not show"),
}


@dataclass(frozen=True)
class ToldFinding:
    """A finding for the reader; `original` is the English sentence where `text` is not that."""

    text: str
    original: str = ""


def meaning_of(code: str) -> str | None:
    """What the code of a warning about a scan means, in English; None for a code of another version."""
    return SCAN_CAUTIONS.get(code) or MEANINGS.get(code)


def finding_text(finding: Finding, language: str) -> str:
    """A finding in one sentence, or in what its code means with the English sentence behind it where that has no translation."""
    text = told(finding.sentence, language)
    meaning = meaning_of(finding.code)
    if text != finding.sentence or not meaning or language == ENGLISH:
        return text
    words = catalogue_of(language)
    return words.gettext("{sentence}.").format(sentence=words.gettext(meaning)) + f" ({text})"


def told_finding(words: Words, finding: Finding) -> ToldFinding:
    """A finding in the reader's language; the sentence alone where the catalogue says nothing of its code."""
    meaning = meaning_of(finding.code)
    text = words.gettext(meaning) if meaning else ""
    if not meaning or text == meaning:
        return ToldFinding(finding.sentence)
    return ToldFinding(words.gettext("{sentence}.").format(sentence=text), finding.sentence)

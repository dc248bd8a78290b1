"""What DICOM objects of a result name as what drew it: our network, another program, or nobody knows whom."""

from dataclasses import replace

import pytest
from dicom_result_cases import BUNDLE
from pydicom.sr.codedict import codes
from review_cases import make_case

from MSKSegmentLib.dicom_results.identity import algorithm_family, algorithm_name, algorithm_version, drawn_by

IMPORTED = {"labels": "totalsegmentator", "table": {"title": "TotalSegmentator"}}
PROGRAM = {"title": "MuscleMap", "version": "1.4", "model": "wholebody", "model_version": "1.2"}


@pytest.mark.parametrize(
    ("record", "name", "version", "family", "kind"),
    [
        (
            {"imported": IMPORTED},
            "TotalSegmentator",
            "not stated; measured by MSKSegment",
            "ArtificialIntelligence",
            "SEMIAUTOMATIC",
        ),
        ({"imported": IMPORTED | {"labels": "names"}}, "Given label map", "", "ManualProcessing", "SEMIAUTOMATIC"),
        ({"other_model": PROGRAM}, "MuscleMap", "1.4, model 1.2; measured by", "ArtificialIntelligence", "AUTOMATIC"),
        ({"bundle": BUNDLE}, "MSKSegment Bayesian U-Net", BUNDLE["name"], "ArtificialIntelligence", "AUTOMATIC"),
    ],
)
def test_what_drew_the_labels_is_named(record, name, version, family, kind):
    made = make_case()[0]
    result = replace(made, facts=replace(made.facts, record=record))
    assert algorithm_name(result).startswith(name) and version in algorithm_version(result)
    assert len(algorithm_version(result)) <= 64
    assert algorithm_family(result) == getattr(codes.cid7162, family)
    assert drawn_by(result, result.reports[0]) == kind

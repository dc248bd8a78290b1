"""Label maps and segmentations of other programs become the labels of this one, or are refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ct_scans import SPACING, write_volume

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct import read_labels
from MSKSegmentLib.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
ATLAS = ROOT.parent / "shared" / "anatomy" / "vhf_labels.nrrd"


def seg_nrrd(path: Path, layers: np.ndarray, fields: dict[str, str]) -> Path:
    """A ``.seg.nrrd`` of layers ``[z, y, x, layer]`` as Slicer writes it: the layers are the fastest axis."""
    z, y, x, n = layers.shape
    lines = ["NRRD0004", "type: unsigned char", "space: left-posterior-superior", "encoding: raw"]
    if n > 1:
        lines += ["dimension: 4", f"sizes: {n} {x} {y} {z}", "kinds: list domain domain domain"]
        lines += ["space directions: none (2,0,0) (0,2,0) (0,0,3)"]
    else:
        lines += ["dimension: 3", f"sizes: {x} {y} {z}", "kinds: domain domain domain"]
        lines += ["space directions: (2,0,0) (0,2,0) (0,0,3)"]
    lines += ["space origin: (1,2,3)", *(f"{key}:={value}" for key, value in fields.items())]
    path.write_bytes("\n".join(lines).encode() + b"\n\n" + np.ascontiguousarray(layers, np.uint8).tobytes())
    return path


def boxes() -> np.ndarray:
    labels = np.zeros((10, 12, 14), np.uint8)
    labels[2:5, 2:6, 2:6] = 1
    labels[5:8, 6:9, 7:12] = 2
    return labels


@pytest.mark.parametrize("name", ["l.nii.gz", "l.nrrd", "l.mha"])
def test_plain_label_map(name: str, tmp_path: Path) -> None:
    labels = np.zeros((9, 10, 50), np.uint8)
    labels.flat[: len(HIP_AND_THIGH.segments)] = [s.label for s in HIP_AND_THIGH.segments]
    found, geometry = read_labels(write_volume(tmp_path / name, labels.astype(np.int16)), HIP_AND_THIGH)
    np.testing.assert_array_equal(found, labels)
    assert found.dtype == np.uint8 and geometry.spacing == pytest.approx(SPACING)


@pytest.mark.parametrize("value", [23, 103, 99, -1, 1.5])
def test_foreign_label_is_refused(value: float, tmp_path: Path) -> None:
    labels = np.zeros((9, 10, 50), np.float32)
    labels[3, 3, 3] = value
    with pytest.raises(InputError, match=f"holds the value {value:g},"):
        read_labels(write_volume(tmp_path / "l.nrrd", labels), HIP_AND_THIGH)


@pytest.mark.parametrize(
    "first",
    [{"ID": "GMAX_right", "Name": "my muscle"}, {"ID": "Segment_1", "Name": "Gluteus maximus, right"},
     {"ID": "Segment_1", "Name": "x", "Tags": "Segmentation.Status:completed|MSKSegment.Key:gmax_right|"}],
)  # fmt: skip
def test_segments_are_recognised_by_identifier_name_or_tag(first: dict[str, str], tmp_path: Path) -> None:
    fields = {f"Segment0_{key}": value for key, value in {**first, "LabelValue": "2", "Layer": "0"}.items()}
    fields |= {"Segment1_ID": "SACRUM", "Segment1_LabelValue": "1", "Segment1_Layer": "0"}
    labels, geometry = read_labels(seg_nrrd(tmp_path / "s.seg.nrrd", boxes()[..., None], fields), HIP_AND_THIGH)
    np.testing.assert_array_equal(labels, np.select([boxes() == 2, boxes() == 1], [4, 3], 0))
    assert geometry.spacing == pytest.approx((2, 2, 3)) and geometry.origin == pytest.approx((1, 2, 3))


def test_layers_share_label_values(tmp_path: Path) -> None:
    layers = np.stack([boxes(), np.roll(boxes(), 1, axis=2), np.roll(boxes(), -1, axis=1)], axis=-1)
    names = ["FEMUR_left", "VM_left", "RF_right"]
    fields: dict[str, str] = {}
    for n, name in enumerate(names):
        fields |= {f"Segment{n}_ID": name, f"Segment{n}_LabelValue": "1", f"Segment{n}_Layer": str(n)}
    labels, _ = read_labels(seg_nrrd(tmp_path / "s.seg.nrrd", layers, fields), HIP_AND_THIGH)
    expected = np.select([layers[..., 2] == 1, layers[..., 1] == 1, layers[..., 0] == 1], [16, 122, 102], 0)
    np.testing.assert_array_equal(labels, expected)


def test_foreign_segment_is_refused_unless_empty(tmp_path: Path) -> None:
    fields = {"Segment0_ID": "a", "Segment0_Name": "Tumour", "Segment0_LabelValue": "1"}
    with pytest.raises(InputError, match="segment 'Tumour' of s.seg.nrrd"):
        read_labels(seg_nrrd(tmp_path / "s.seg.nrrd", boxes()[..., None], fields), HIP_AND_THIGH)
    fields["Segment0_LabelValue"] = "9"
    assert not read_labels(seg_nrrd(tmp_path / "s.seg.nrrd", boxes()[..., None], fields), HIP_AND_THIGH)[0].any()


@pytest.mark.skipif(not ATLAS.exists(), reason="the shared label map is absent")
def test_atlas_with_extra_structures_is_refused_as_a_label_map() -> None:
    with pytest.raises(InputError, match="stands for no structure"):
        read_labels(ATLAS, HIP_AND_THIGH)

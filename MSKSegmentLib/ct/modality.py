"""What kind of scan a volume is: CT in Hounsfield units, or MR in units of its own."""

from __future__ import annotations

CT_MODALITY, MR_MODALITY = "CT", "MR"
MODALITIES = (CT_MODALITY, MR_MODALITY)
# The name of a scan in sentences.
SCAN_WORDS = {CT_MODALITY: "CT", MR_MODALITY: "MR scan"}
# The value beyond a scan: air, or no signal.
BEYOND_SCAN = {CT_MODALITY: -1024, MR_MODALITY: 0}

"""Settings of a run that differ from the usual ones in every field."""

from MSKSegmentLib.ct.region import Region
from MSKSegmentLib.settings import OtherModel

# Something else than the default for every field.
OTHERS = {
    "device": "cpu",
    "passes": 7,
    "seed": 0,
    "height_m": 1.15,
    "region": Region((-151.25, 10.0, -120.0, 0.5, -0.125, 1200.0)),
    "preview": True,
    "lights": "paper",
    "auto_passes": True,
    "int8": True,
    "bundle": "a bundle/with spaces",
    "task": "trunk-ct",
    "series": "1.2.840.1",
    "assume_orientation": "RAS",
    "model": OtherModel("totalsegmentator", "an environment/with spaces", "labels.csv", may_download=True),
}

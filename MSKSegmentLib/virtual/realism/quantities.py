"""The quantities that are compared: their units and meaning, in the order in which they are reported."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """One quantity: `name` as in the tables (its unit at the end), the group under which it is reported, and its meaning."""

    name: str
    group: str
    meaning: str


_ROWS = {
    "Tissues": (
        ("gas_share", "share of the body below -300 HU"),
        ("fat_share", "share of the body from -190 to -30 HU"),
        ("soft_share", "share of the body from -29 to 150 HU"),
        ("bone_share", "share of the body above 150 HU"),
        ("fat_peak_hu", "place of the fat peak in the body's histogram"),
        ("fat_peak_sd_below_hu", "its half width below, as a standard deviation"),
        ("fat_peak_sd_above_hu", "its half width above, as a standard deviation"),
        ("fat_strands_share", "share of fat regions more than 40 HU above the fat peak"),
        ("muscle_peak_hu", "place of the soft-tissue peak in the body's posterior half"),
        ("muscle_peak_sd_below_hu", "its half width below, as a standard deviation"),
        ("muscle_peak_sd_above_hu", "its half width above, as a standard deviation"),
        ("muscle_below_10_hu_share", "share of muscle regions below 10 HU"),
        ("muscle_below_minus_30_hu_share", "share of muscle regions below -30 HU: visible fat"),
    ),
    "Texture": (
        ("muscle_local_sd_hu", "median standard deviation in windows of 15 mm in muscle"),
        ("fat_local_sd_hu", "the same in fat"),
        ("muscle_over_fat_sd", "their ratio: texture of muscle beyond the noise"),
        ("muscle_mean_spread_hu", "standard deviation of the windows' means in muscle"),
        ("fat_mean_spread_hu", "the same in fat"),
        ("muscle_nps_centroid_per_mm", "mean frequency of the noise power spectrum in muscle"),
        ("fat_nps_centroid_per_mm", "the same in fat"),
        ("muscle_correlation_mm", "lag at which the autocorrelation in muscle falls to 1/e"),
        ("fat_correlation_mm", "the same in fat"),
        ("muscle_next_slice_correlation", "correlation of muscle patches with the next slice"),
        ("fat_next_slice_correlation", "the same in fat"),
        ("muscle_stripes", "ln of the variance of row means over that of column means: horizontal streaks in muscle"),
        ("fat_stripes", "the same in fat"),
        ("muscle_skewness", "skewness of muscle patches: negative where fat runs through"),
        ("fat_skewness", "skewness of fat patches: positive where strands run through"),
    ),
    "Bone": (
        ("cortical_p50_hu", "median within 3 mm of the bones' surface"),
        ("cortical_p75_hu", "75th percentile there"),
        ("cortical_p95_hu", "95th percentile there"),
        ("trabecular_p5_hu", "5th percentile deeper than 6 mm in bones"),
        ("trabecular_p50_hu", "median there"),
        ("trabecular_p95_hu", "95th percentile there"),
        ("trabecular_local_sd_hu", "median standard deviation in windows of 9 mm inside bones"),
    ),
    "Edges": (
        ("skin_edge_mm", "10-90 % width from air to the tissue under the skin"),
        ("skin_excess_hu_mm", "what the skin adds above fat: HU over fat times thickness"),
        ("skin_peak_hu", "highest value along a line through the skin"),
        ("muscle_fat_edge_mm", "10-90 % width from fat to muscle"),
    ),
    "Body": (
        ("body_area_cm2", "area of the body in a slice"),
        ("body_width_mm", "width of the body"),
        ("body_depth_mm", "depth of the body, front to back"),
        ("air_hu", "air beside the body"),
        ("air_sd_hu", "noise of that air"),
    ),
}

QUANTITIES = tuple(Quantity(name, group, meaning) for group, rows in _ROWS.items() for name, meaning in rows)

"""Pelvic and thigh bones rendered from spheres and cylinders at stated places, on any grid: what levels are to be found from."""

import numpy as np

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.orientation import AxisOrder
from MSKSegmentLib.ct.volume import Geometry

# z of what the rules look for, in mm; the femur reaches from 0 to the top of its head.
HEAD_Z, HEAD_RADIUS, HEAD_X = 400.0, 24.0, 90.0
TROCHANTER_Z, SHAFT_X, SHAFT_RADIUS = 342.0, 130.0, 14.0
ROOF_Z = HEAD_Z + HEAD_RADIUS + 4
SACRUM_Z = (420.0, 540.0)
TOP_Z = 600.0
TRUE_LEVELS = {
    "S1": SACRUM_Z[1] - (SACRUM_Z[1] - SACRUM_Z[0]) / 8,
    "acetabular roof": ROOF_Z,
    "femoral head centre": HEAD_Z,
    "lesser trochanter": TROCHANTER_Z,
    "1/3 of the femur": (HEAD_Z + HEAD_RADIUS) * 2 / 3,
    "mid-thigh": (HEAD_Z + HEAD_RADIUS) / 2,
    "2/3 of the femur": (HEAD_Z + HEAD_RADIUS) / 3,
}


def rendered_bones(spacing=(2.0, 2.0, 2.0), low=-20.0, high=TOP_Z, order=None):
    """Labels uint8 ``[z, y, x]`` of both sides and their grid, from z `low` to `high` in mm; `order` turns and flips the axes."""
    sx, sy, sz = spacing
    z, y, x = (np.arange(first, last, step) for first, last, step in ((low, high, sz), (-70, 70, sy), (-190, 190, sx)))
    labels = np.zeros((z.size, y.size, x.size), np.uint8)
    z_, y_ = z[:, None, None], y[None, :, None]
    for side, sign in (("right", -1.0), ("left", 1.0)):
        lateral = sign * x[None, None, :]
        femur, hip = (HIP_AND_THIGH.segment(f"{name}_{side}").label for name in ("FEMUR", "PELVIS"))
        labels[_ball(lateral, y_, z_, (HEAD_X, 0, ROOF_Z + 60), 60)] = hip
        labels[_ball(lateral, y_, z_, (HEAD_X, 0, HEAD_Z), HEAD_RADIUS)] = femur
        neck = np.abs((z_ - HEAD_Z) + (lateral - HEAD_X)) < 14
        labels[neck & (lateral >= HEAD_X) & (lateral <= SHAFT_X + 8) & (np.abs(y_) < 12)] = femur
        shaft = np.hypot(lateral - SHAFT_X, y_ + 0 * z_) <= SHAFT_RADIUS
        labels[shaft & (z_ >= 0) & (z_ <= HEAD_Z - 10)] = femur
        bump = (SHAFT_X - 0.7 * SHAFT_RADIUS, 0.7 * SHAFT_RADIUS, TROCHANTER_Z)
        labels[_ball(lateral, y_, z_, bump, 9)] = femur
    sacrum = (np.abs(x[None, None, :]) < 40) & (np.abs(y_) < 30) & (z_ >= SACRUM_Z[0]) & (z_ <= SACRUM_Z[1])
    labels[sacrum] = HIP_AND_THIGH.segment("SACRUM").label
    grid = Geometry(labels.shape[::-1], spacing, (float(x[0]), float(y[0]), float(z[0])))
    if order is None:
        return labels, grid
    turned = AxisOrder(*order)
    return np.ascontiguousarray(turned.apply(labels)), turned.geometry(grid)


def _ball(x, y, z, centre, radius):
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 <= radius**2

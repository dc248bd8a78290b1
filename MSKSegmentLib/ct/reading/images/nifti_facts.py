"""The grid that a NIfTI header states: sform, qform and pixdim, which often differ, reconciled by the standard's rules.

pixdim is the spacing and never negative; the qform is a rotation of that grid, the sform any affine map. A code of 0 says that
a form is not set. If both are set, the sform gives the positions of the voxels, unless it maps into a template (codes 3
and up). Source: nifti1.h, "3D IMAGE (VOLUME) ORIENTATION AND LOCATION IN SPACE", https://nifti.nimh.nih.gov.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....errors import InputError
from ....findings import Finding, warning
from ...orientation import axis_order
from .facts import ImageFacts, Stated, by, in_millimetres
from .nifti_header import NiftiHeader

_UNITS_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
FIRST_TEMPLATE_CODE = 3
# Stated spacings that differ by less are the same, but for rounding.
SAME_STATED_SPACING = 1e-3
# If both forms are set and differ by more, it is unknown which size is right.
REFUSED_SPACING = 0.02
SAME_ANGLE_DEGREES = 1.0
# Beyond this angle an image axis is nearest to another axis of the body.
OTHER_AXIS_DEGREES = 45.0
_LEAST_DETERMINANT = 1e-3
_SQUARED_TOLERANCE = 1e-4


@dataclass(frozen=True)
class _Form:
    """One of the two maps from voxels to positions: `steps` [3, 3] and `origin` [3] in mm, RAS; or why it cannot be used."""

    name: str
    steps: np.ndarray | None = None
    origin: np.ndarray | None = None
    problem: str = ""

    @property
    def lengths(self) -> np.ndarray:
        assert self.steps is not None
        return np.linalg.norm(self.steps, axis=0)

    @property
    def axes(self) -> np.ndarray:
        assert self.steps is not None
        return self.steps / self.lengths


def nifti_facts(header: NiftiHeader, name: str) -> ImageFacts:
    """The facts of a NIfTI header; `name` is the file's, for messages.

    Raises:
        InputError: it states no voxel spacing or two different ones, or states its orientation in invalid numbers.
    """
    unit = Stated(_UNITS_MM.get(header.xyzt_units & 7, 1.0), "xyzt_units") if header.xyzt_units & 7 else None
    scale = unit.value if unit else 1.0
    pixdim = np.abs(header.pixdim[1:4]) * scale
    stated = bool(np.isfinite(pixdim).all() and pixdim.min() > 0)
    if not stated and header.qform_code > 0:
        wrong = "zero" if np.isfinite(pixdim).all() else "something that is not a number"
        raise InputError(f"The image {name} has a voxel spacing of {wrong}; export it again with its spacing.")
    qform = _qform(header, pixdim, scale) if header.qform_code > 0 else None
    sform = _sform(header, scale) if header.sform_code > 0 else None
    scaling, size = _scaling(header, name), header.size
    if qform is None and sform is None:
        if not stated:
            raise InputError(f"The image {name} does not state its voxel spacing; export it again with its spacing.")
        found = in_millimetres(pixdim / scale, unit, name)
        steps = Stated(np.diag(pixdim), "pixdim")
        return ImageFacts(size, steps, None, None, "its qform_code and sform_code are 0", scaling, unit, found)
    form, findings = _chosen(qform, sform, pixdim if stated else None, header, name)
    if (header.sform_code if form.name == "sform" else header.qform_code) >= FIRST_TEMPLATE_CODE:
        findings += (
            warning(
                "in_template_space",
                f"The {form.name}, which says where the voxels of the file lie, is that of a template and not of the scanner: if "
                "the scan was fitted to a template, its volumes and distances are not the patient's.",
            ),
        )
    assert form.steps is not None and form.origin is not None
    findings += in_millimetres(form.lengths / scale, unit, name)
    return ImageFacts(
        size, Stated(form.steps, form.name), Stated(form.origin, form.name), Stated("RAS", form.name), "", scaling, unit, findings
    )


def _qform(header: NiftiHeader, pixdim: np.ndarray, scale: float) -> _Form:
    """The rotation of the unit quaternion (a, b, c, d), with a from the others, times pixdim; qfac may flip the third axis."""
    b, c, d = header.quaternion
    squared = float(b * b + c * c + d * d)
    qfac = header.pixdim[0]
    if not np.isfinite([squared, qfac, *header.qoffset]).all():
        return _Form("qform", problem="holds values that are not numbers")
    if squared > 1 + _SQUARED_TOLERANCE:
        return _Form("qform", problem="has a quaternion that is no rotation")
    if squared > 1:
        b, c, d = (value / np.sqrt(squared) for value in (b, c, d))
    a = np.sqrt(max(0.0, 1 - (b * b + c * c + d * d)))
    rotation = np.array([
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ])  # fmt: skip
    rotation[:, 2] *= -1.0 if qfac < 0 else 1.0
    return _Form("qform", rotation * pixdim, header.qoffset * scale)


def _sform(header: NiftiHeader, scale: float) -> _Form:
    if not np.isfinite(header.srow).all():
        return _Form("sform", problem="holds values that are not numbers")
    form = _Form("sform", header.srow[:, :3] * scale, header.srow[:, 3] * scale)
    if form.lengths.min() <= 0 or abs(np.linalg.det(form.axes)) < _LEAST_DETERMINANT:
        return _Form("sform", problem="has an axis without a direction of its own")
    return form


def _chosen(
    qform: _Form | None, sform: _Form | None, pixdim: np.ndarray | None, header: NiftiHeader, name: str
) -> tuple[_Form, tuple[Finding, ...]]:
    """The form to use, and findings on other statements that differ from it."""
    usable = [form for form in (sform, qform) if form is not None and form.steps is not None]
    spoiled = [form for form in (sform, qform) if form is not None and form.steps is None]
    if not usable:
        problems = " and ".join(f"its {form.name} {form.problem}" for form in spoiled)
        raise InputError(f"The image {name} does not say where its voxels lie: {problems}; export it again.")
    findings: tuple[Finding, ...] = tuple(
        warning("form_not_usable", f"The {form.name} of the file {form.problem}; its {usable[0].name} was used.")
        for form in spoiled
    )
    if len(usable) == 2:
        used, difference = _settled(usable[0], usable[1], header, name)
        return used, findings + difference
    used = usable[0]
    if used.name == "sform" and pixdim is not None and not _same_lengths(used, pixdim):
        findings += (
            warning(
                "contradicting_spacing",
                f"The file states two voxel sizes, {by(used.lengths)} mm in its sform and {by(pixdim)} mm in its pixdim; "
                "the sform was used, so check that the body has its true size.",
            ),
        )
    return used, findings


def _settled(sform: _Form, qform: _Form, header: NiftiHeader, name: str) -> tuple[_Form, tuple[Finding, ...]]:
    """The one of two usable forms that counts, and a warning if they differ."""
    in_template = header.sform_code >= FIRST_TEMPLATE_CODE > header.qform_code
    used = qform if in_template else sform
    if _sides_differ(sform, qform):
        return used, (
            warning(
                "contradicting_sides",
                f"The sform and the qform of the file exchange right and left against each other; the {used.name} was used, so "
                "check the sides.",
            ),
        )
    if not _same_lengths(sform, qform.lengths):
        if in_template:
            return used, (
                warning(
                    "template_space",
                    "The sform of the file leads into a template's space; the qform, in which the scanner measured, was used.",
                ),
            )
        largest = float(np.max(np.abs(np.log(sform.lengths / qform.lengths))))
        sizes = f"{by(sform.lengths)} mm in its sform and {by(qform.lengths)} mm in its qform"
        if largest > REFUSED_SPACING:
            raise InputError(f"The image {name} states two voxel sizes, {sizes}; correct its header or export it again.")
        return used, (warning("contradicting_spacing", f"The file states two voxel sizes, {sizes}; the {used.name} was used."),)
    degrees, distance = _degrees_apart(sform, qform), _distance(sform, qform, header.size)
    shear = _shear_degrees(sform)
    if degrees > SAME_ANGLE_DEGREES + shear:
        apart, code = f"{degrees:.0f} degrees", "contradicting_sides" if degrees > OTHER_AXIS_DEGREES else "contradicting_position"
    elif distance > max(1.0, float(sform.lengths.max())) and shear < SAME_ANGLE_DEGREES:
        apart, code = f"{distance:.0f} mm", "contradicting_position"
    else:
        return used, ()
    return used, (warning(code, f"The sform and the qform of the file lie {apart} apart; the {used.name} was used."),)


def _same_lengths(form: _Form, lengths: np.ndarray) -> bool:
    """Whether a spacing is that of a form; in a sheared form (gantry tilt) it may also be the distance between planes."""
    assert form.steps is not None
    volume = abs(np.linalg.det(form.steps))
    planes = volume / np.linalg.norm(np.cross(form.steps.T[[1, 2, 0]], form.steps.T[[2, 0, 1]]), axis=1)
    low, high = planes * (1 - SAME_STATED_SPACING), form.lengths * (1 + SAME_STATED_SPACING)
    return bool(((lengths >= low) & (lengths <= high)).all())


def _sides_differ(sform: _Form, qform: _Form) -> bool:
    """Whether one is the mirror image of the other, or the patient's right lies at the other end of the same index axis."""
    if np.linalg.det(sform.axes) * np.linalg.det(qform.axes) < 0:
        return True
    rows = [tuple(tuple(row) for row in form.axes) for form in (sform, qform)]
    first, second = (axis_order(row) for row in rows)  # type: ignore[arg-type]
    return first.axes[0] == second.axes[0] and first.signs[0] != second.signs[0]


def _degrees_apart(sform: _Form, qform: _Form) -> float:
    """The largest angle in degrees between the same index axis in both."""
    cosines = np.clip(np.sum(sform.axes * qform.axes, axis=0), -1, 1)
    return float(np.degrees(np.arccos(cosines)).max())


def _shear_degrees(form: _Form) -> float:
    gram = form.axes.T @ form.axes
    return float(np.degrees(np.arcsin(min(1.0, np.abs(gram - np.diag(np.diag(gram))).max()))))


def _distance(sform: _Form, qform: _Form, size: tuple[int, int, int]) -> float:
    """The distance in mm between the image's centres by both forms."""
    assert sform.steps is not None and qform.steps is not None and sform.origin is not None and qform.origin is not None
    middle = (np.array(size) - 1) / 2
    return float(np.linalg.norm((sform.steps - qform.steps) @ middle + sform.origin - qform.origin))


def _scaling(header: NiftiHeader, name: str) -> Stated[tuple[float, float]] | None:
    """Slope and intercept; with a slope of 0, or one that was never set, values stay unscaled, whatever the intercept."""
    slope, intercept = header.scl_slope, header.scl_inter
    if slope == 0 or not np.isfinite(slope) or (slope, intercept) == (1.0, 0.0):
        return None
    if not np.isfinite(intercept):
        raise InputError(f"The image {name} scales its values by an intercept that is not a number; export it again.")
    return Stated((slope, intercept), "scl_slope, scl_inter")

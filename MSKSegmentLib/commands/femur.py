"""``mskseg femur``: the proximal femora in quantitative CT: bone mineral density, volumes, meshes, virtual scans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..packages import FOR_MEASURING, require
from .arguments import reading_options
from .base import PLACE, CommandGroup, Invocation, pass_invocation
from .bone_density import density_choice, density_options

if TYPE_CHECKING:
    from ..proximal_femur.measures import ProximalFemora

_segmentation_argument = click.argument("segmentation", type=PLACE, metavar="RESULT|LABELS")
_ct_option = click.option("--ct", type=PLACE, metavar="CT", help="the CT (default: that of the result folder)")
_task_option = click.option("--task", metavar="TASK", help="whose labels LABELS has (default: hip-thigh-ct)")


@click.group(cls=CommandGroup)
def command() -> None:
    """Measure the proximal femora in quantitative CT. Volumetric densities: no T-score of DXA, no risk of fracture."""


@command.command("measure")
@_segmentation_argument
@_ct_option
@click.option(
    "-o", "--output", type=PLACE, metavar="OUT", help="folder of tables, label maps and pictures (default: femur in RESULT)"
)
@_task_option
@density_options
@click.option(
    "--cortical-from", type=float, default=350.0, metavar="MG", help="cortical from this density on (default: 350 mg/cm³)"
)
@click.option("--erosion", type=float, default=3.0, metavar="MM", help="trabecular below this depth (default: 3 mm)")
@reading_options
@pass_invocation
def measure_proximal_femora(
    invocation: Invocation, /, segmentation: Path, ct: Path | None, output: Path | None, task: str | None, **options: Any
) -> None:
    """Cut the proximal femora from head to below the lesser trochanter; measure volume, density and mineral by region.

    RESULT is a result folder, LABELS a label map. HU become mg/cm³ by a phantom in the scan, or by --slope and
    --intercept. The report of RESULT shows what lies in its folder femur.
    """
    from ..errors import InputError
    from ..proximal_femur.femur_folder import FEMUR_FOLDER, check_femur_output, write_femora
    from ..proximal_femur.femur_input import read_femur_input
    from ..proximal_femur.measures import measure_femora
    from ..proximal_femur.regions import checked_rule

    density = density_choice(options)
    rule = checked_rule(options["cortical_from"], options["erosion"])
    if output is None:
        if not segmentation.is_dir():
            raise InputError("A label map has no folder of its own; name the folder of tables and pictures with -o.")
        output = segmentation / FEMUR_FOLDER
    check_femur_output(output)
    require(*FOR_MEASURING, "matplotlib", "rich")
    case = read_femur_input(segmentation, ct, task, options["series"], options["assume_orientation"])
    invocation.checkpoint()
    calibration = density.calibration(case.volume)
    invocation.checkpoint()
    found = measure_femora(case.labels, case.volume, case.table, calibration, rule)
    write_femora(output, case.volume, found, case.name, case.lights, case.digest)
    for finding in (*case.volume.findings, *found.findings):
        invocation.warn(finding.sentence)
    for key, light in case.lights.items():
        if light != "green" and key in {femur.segment.key for femur in found.femora}:
            invocation.warn(f"{case.table.segment(key).name}: the light of the segmentation is {light}; look at it first.")
    if not invocation.quiet:
        _print(found, output)


@command.command("mesh")
@_segmentation_argument
@_ct_option
@click.option("-o", "--output", type=PLACE, required=True, metavar="OUT", help="folder of meshes")
@click.option("--edge", type=float, default=3.0, metavar="MM", help="length of edges (default: 3 mm)")
@click.option(
    "--tetrahedra",
    type=click.Choice(("vtu", "inp", "msh", "bdf")),
    help="fill the surface, with the density of each element: VTK, Abaqus, Gmsh or Nastran",
)
@_task_option
@density_options
@reading_options
@pass_invocation
def mesh_proximal_femora(
    invocation: Invocation, /, segmentation: Path, ct: Path | None, output: Path, task: str | None, **options: Any
) -> None:
    """Write meshes of the proximal femora for finite-element work: surfaces as STL, tetrahedra if asked for (LPS, mm)."""
    from ..proximal_femur.femur_input import read_femur_input
    from ..proximal_femur.measures import measure_femora
    from ..proximal_femur.meshes import check_mesh_output, checked_edge, write_meshes

    density = density_choice(options)
    edge, ending = checked_edge(options["edge"]), options["tetrahedra"]
    check_mesh_output(output)
    require(*FOR_MEASURING, "meshio", *(() if ending is None else ("pyvista", "pytetwild")), purpose="A mesh", extra="mesh")
    case = read_femur_input(segmentation, ct, task, options["series"], options["assume_orientation"])
    invocation.checkpoint()
    found = measure_femora(case.labels, case.volume, case.table, density.calibration(case.volume))
    invocation.checkpoint()
    rows = write_meshes(output, case.volume, found, edge, None if ending is None else f".{ending}")
    for finding in (*case.volume.findings, *found.findings):
        invocation.warn(finding.sentence)
    for row in rows:
        error = f"{row['volume_error_percent']:+.2f} % of the voxels' {row['voxels_cc']:.1f} cc"
        if row["closed"] == "no":
            invocation.warn(f"{row['file']}: the surface is not closed; look at the segmentation before you use it.")
        invocation.say(f"{row['file']}: {row['points']} points, {row['elements']} {row['mesh']} elements, volume {error}")


@command.command("virtual")
@click.option("-n", "--number", type=int, required=True, metavar="N", help="cases to make")
@click.option("-o", "--output", type=PLACE, required=True, metavar="DIR", help="folder of cases")
@click.option("--seed", type=int, default=0, metavar="N", help="number of the first case; female and male take turns")
@click.option("--spacing", type=float, nargs=3, default=(0.8, 0.8, 1.0), metavar="X Y Z", help="mm (default: 0.8 0.8 1)")
@pass_invocation
def make_virtual_hips(invocation: Invocation, number: int, output: Path, seed: int, spacing: tuple[float, float, float]) -> None:
    """Make virtual hips of known density: CT with a phantom, labels of the task proximal-femur-qct, the truth in facts.json.

    The list cases.csv in DIR says the sex of each, for --cases of 'mskseg study'.
    """
    from ..proximal_femur.virtual_cases import write_virtual_hips

    require(*FOR_MEASURING)
    for line in write_virtual_hips(output, number, seed, spacing):
        invocation.checkpoint()
        invocation.say(line)


def _print(found: ProximalFemora, folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from .. import RESEARCH_USE_ONLY
    from ..proximal_femur.femur_folder import NOT_DXA
    from ..proximal_femur.regions import Compartment, FemurRegion

    console = Console(width=None if Console().is_terminal else 140)
    line = found.calibration
    console.print(f"mg/cm³ = {line.slope:.4f} HU {line.intercept:+.1f} ({line.source}; {line.equivalent})")
    for rod, residual in zip(line.rods, line.residuals_mg_cm3, strict=True):
        console.print(
            f"  rod of {rod.density_mg_cm3:g} mg/cm³: {rod.hu:.1f} HU, off the line by {residual:+.1f} mg/cm³", style="dim"
        )
    for femur in found.femora:
        table = Table(
            box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", title=femur.segment.name, title_justify="left"
        )
        table.add_column("region", no_wrap=True)
        for one in Compartment:
            for unit in ("cc", "mg/cm³", "g"):
                table.add_column(f"{one.value}\n{unit}", justify="right")
        for region in FemurRegion:
            cells = [region.value]
            for one in Compartment:
                value = femur.measure(region, one)
                cells += [f"{value.volume_cc:.1f}"]
                cells += [
                    "-" if number is None else f"{number:.{digits}f}"
                    for number, digits in ((value.bmd_mg_cm3, 0), (value.bmc_g, 2))
                ]
            table.add_row(*cells)
        console.print(table)
    console.print(f"[bold]{RESEARCH_USE_ONLY}[/] {NOT_DXA}")
    console.print(f"Files in {folder}: {', '.join(sorted(file.name for file in folder.iterdir()))}", highlight=False, markup=False)

"""``mskseg reference``: percentile curves of a site's own cohort, and a result among them."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import InputError
from .arguments import bundle_option
from .base import PLACE, CommandGroup, Invocation, pass_invocation


@click.group(cls=CommandGroup)
def command() -> None:
    """Make reference curves of a site's own cohort, and place results among them."""


@command.command("make")
@click.argument("cohort", type=PLACE, metavar="COHORT.csv")
@click.option("-o", "--output", type=PLACE, required=True, metavar="SITE.json", help="the reference file")
@click.option("--source", default="", metavar="TEXT", help="whose cohort it is, in a few words (default: the table's name)")
@bundle_option
@pass_invocation
def make(invocation: Invocation, cohort: Path, output: Path, source: str, bundle: str | None) -> None:
    """Fit percentiles by age and sex to COHORT.csv: age, sex, structure, side, value.

    The structures are those of the bundle.
    """
    from ..bundle import resolve_bundle
    from ..site_reference.cohort_table import read_cohort
    from ..site_reference.curves import FEWEST_PERSONS, write_site_reference
    from ..site_reference.fitting import LEAST_SPAN_YEARS, make_site_reference

    found = make_site_reference(read_cohort(cohort, resolve_bundle(bundle).table), source or cohort.stem)
    write_site_reference(output, found)
    invocation.say(f"{len(found.curves)} curves are in {output}.")
    constant = [curve for curve in found.curves if curve.is_constant]
    if constant:
        ages = f"{min(one.ages[0] for one in constant):g} to {max(one.ages[-1] for one in constant):g}"
        invocation.warn(
            f"Curves that are the same at every age, because their persons' ages ({ages}) span less than "
            f"{LEAST_SPAN_YEARS:g} years: {len(constant)}; other ages get no percentile from them."
        )
    if found.too_few:
        names = ", ".join(f"{name} ({number})" for name, number in list(found.too_few.items())[:5])
        more = f" and {len(found.too_few) - 5} more" if len(found.too_few) > 5 else ""
        invocation.warn(f"Fewer than {FEWEST_PERSONS} persons, so no curve: {names}{more}.")


@command.command("apply")
@click.argument("reference", type=PLACE, metavar="SITE.json")
@click.argument("result", type=PLACE, metavar="RESULT")
@click.option("--age", type=float, required=True, metavar="YEARS", help="the patient's age at the scan")
@click.option("--sex", type=click.Choice(["F", "M"]), required=True, help="the patient's sex")
@click.option("-o", "--output", type=PLACE, metavar="FILE.csv", help="also write the table")
@pass_invocation
def apply(invocation: Invocation, reference: Path, result: Path, age: float, sex: str, output: Path | None) -> None:
    """Show percentile and z score, with n, of the numbers of RESULT."""
    from ..results.result_reading import read_result
    from ..site_reference.applying import placed_values, write_placed_values
    from ..site_reference.curves import read_site_reference

    site = read_site_reference(reference)
    values = list(placed_values(read_result(result)[0], site, age, sex))
    if not values:
        raise InputError(
            "The reference has no curve for any number of this result; make one of a cohort with its structures and sex."
        )
    if output is not None:
        write_placed_values(output, values)
    invocation.say(f"Percentiles among {site.source} (the site's own cohort, no norm)")
    for value in values:
        standing = value.standing.text if value.standing else f"- {value.reason}"
        print(f"{value.segment.name:36} {value.quantity:17} {value.value:9.1f}  {standing}")

"""``mskseg learn``: a bundle fine-tuned on what was corrected, and published if it is better."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..engine.progress import JsonLines
from ..errors import InputError
from ..packages import FOR_SEGMENTING, FOR_TRAINING, require
from .arguments import bundle_option, device_option
from .base import PLACE, Command, Invocation, pass_invocation
from .training_status import status_calls

if TYPE_CHECKING:
    from ..learning.gathering import Gathered
    from ..learning.plan import LearningPlan


@click.command(cls=Command)
@click.argument("reviews", type=PLACE, nargs=-1, required=True, metavar="REVIEWS...")
@click.option("-o", "--output", type=PLACE, metavar="NEW", help="the new bundle; state and report go to NEW-learning")
@bundle_option
@click.option("--list", "only_list", is_flag=True, help="only say what is there and what is missing")
@click.option("--patients", type=PLACE, metavar="CSV", help="columns result, patient: which results are of one patient")
@click.option("--rehearse", "rehearsal", type=PLACE, metavar="CASES", help="cases with true labels that must not be forgotten")
@click.option("--atlas", type=PLACE, metavar="DIR", help="bodies for virtual patients to rehearse (default: MSKSEG_ATLAS)")
@click.option("--rehearsal-patients", type=int, default=12, metavar="N", help="virtual patients to make (default: 12)")
@click.option("--rehearsal-share", type=float, default=0.5, metavar="S", help="share of rehearsed slices (default: 0.5)")
@click.option("--hold-out", type=float, default=0.3, metavar="S", help="share of the patients that judge (default: 0.3)")
@click.option("--iterations", type=int, default=1000, metavar="N", help="of the training (default: 1000)")
@click.option("--hours", type=float, metavar="H", help="be done within so long, instead of --iterations")
@click.option("--samples", "passes", type=int, metavar="T", help="dropout passes of the comparison (default: the bundle's)")
@click.option("--seed", type=int, default=0, metavar="N", help="of split, rehearsal and training (default: 0)")
@click.option("--version", metavar="TEXT", help="version of the new bundle (default: the old one's with +learned)")
@device_option
@click.option("--progress", type=click.Choice(("text", "json", "none")), default="text", help="default: text")
@pass_invocation
def command(
    invocation: Invocation, /, reviews: tuple[Path, ...], bundle: str | None, only_list: bool, progress: str, **options: Any
) -> None:
    """Fine-tune a bundle on reviewed results, compare it with the old one on patients held out, and publish it if it is better.

    REVIEWS are result folders, or folders of them. A learning that was stopped or killed goes on when it is called again.
    """
    require(*FOR_SEGMENTING, *FOR_TRAINING, purpose="Learning", extra="train")
    from ..learning.gathering import gather, known_lines
    from ..learning.listing import listing_of
    from ..learning.plan import LearningPlan

    gathered = gather(reviews, options["patients"], invocation.checkpoint)
    if only_list:
        if progress == "json":
            JsonLines().write(listing_of(gathered))
        for line in known_lines(gathered) if progress != "json" else ():
            print(line)
        return
    if options["output"] is None:
        raise InputError("Nothing says where the new bundle goes; name it with -o, or ask for --list.")
    _learn(invocation, gathered, LearningPlan(**options), bundle, progress)


def _learn(invocation: Invocation, gathered: Gathered, plan: LearningPlan, bundle: str | None, progress: str) -> None:
    from ..bundle import resolve_bundle
    from ..inference.devices import wait_without_spinning
    from ..learning.run import LearningCalls, learn

    wait_without_spinning()
    lines = JsonLines() if progress == "json" else None
    say, report = status_calls(invocation, progress)
    calls = LearningCalls(say if lines is None else lines.say, report, invocation.checkpoint)
    end = learn(resolve_bundle(bundle), gathered, plan, calls)
    if end.bundle is None:
        raise InputError(end.sentence)
    if lines is None:
        invocation.say(end.sentence)
    else:
        lines.end(end.sentence)

"""``mskseg node``: a node beside a PACS."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import Cancelled, InputError
from ..packages import FOR_NODE, require
from .base import PLACE, Command, Invocation, exclusive, pass_invocation


@click.command(cls=Command)
@click.option("--config", type=PLACE, required=True, metavar="TOML", help="what to receive, how to segment, where to send")
@click.option("--check", is_flag=True, help="check the configuration and ask its peers whether they answer; start nothing")
@click.option("--again", is_flag=True, help="have refused and failed studies tried again, also by a node that runs; start nothing")
@click.pass_context
@pass_invocation
def command(invocation: Invocation, context: click.Context, config: Path, check: bool, again: bool) -> None:
    """Receive CT from a PACS, segment it, and send the results back into its study, until stopped."""
    exclusive(context, "check", "again")
    require(*FOR_NODE, purpose="The node", extra="node")
    from ..node.checking import check_node, try_again
    from ..node.config_reading import read_config
    from ..node.service import run_node

    read = read_config(config)
    if again:
        print(f"{try_again(read)} studies are tried again.")
    elif check:
        answers = check_node(read)
        for what, fault in answers:
            print(f"{what}: {fault or 'in order.'}")
        if any(fault for _, fault in answers):
            raise InputError("Not everything is in order; see above.")
    else:
        try:
            run_node(read, invocation.checkpoint)
        except Cancelled:
            # Being stopped is how a service ends.
            invocation.say("The node has stopped; it goes on where it was when it is started again.")

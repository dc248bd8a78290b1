"""The comparison of two results as rows and sentences for people: what panel and page show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..language.catalogue import noted as N_
from ..language.catalogue import spoken_words, stated, tr
from ..language.forms import told
from ..wording.names import segment_name
from .agreement_table import DifferingSlice, StructureAgreement
from .beside import HeldBeside
from .differences import DifferenceKind
from .not_drawn import NotDrawn

AGREEMENT_TABLE = (N_("Structure"), N_("Dice"), N_("First cc"), N_("Second cc"), N_("Difference"))
NO_PROOF = N_("Agreement is no proof: both may be wrong in the same place.")
# What the colours over the slices mean, for the results as the table calls them.
DIFFERENCE_KINDS: Mapping[DifferenceKind, str] = {
    DifferenceKind.ONLY_FIRST: N_("only in the first"),
    DifferenceKind.ONLY_SECOND: N_("only in the second"),
    DifferenceKind.ANOTHER: N_("in both, as different structures"),
}
NOTHING_TO_TAKE = stated("The other result has nothing of this structure; erase it with the tools if that is right.")
ONLY_IN_PARTS = stated(
    "This result has the structure in parts, and the other result has it as one; correct the parts with the tools."
)


@dataclass(frozen=True)
class AgreementRow:
    """A structure and side in the front end's language: `key` and `name` are the segment's, `dice` is empty where nothing is
    compared, `difference` then says why. `slices` are those that differ most; `takeable` tells whether the other's can be taken."""

    key: str
    name: str
    dice: str
    first: str
    second: str
    difference: str
    slices: tuple[DifferingSlice, ...] = ()
    takeable: bool = False

    @property
    def is_compared(self) -> bool:
        """Whether both results could have it."""
        return bool(self.dice)

    @property
    def texts(self) -> tuple[str, ...]:
        """The cells, in the order of `AGREEMENT_TABLE`."""
        return (self.name, self.dice, self.first, self.second, self.difference)


def agreement_rows(held: HeldBeside) -> tuple[AgreementRow, ...]:
    """The rows: the least agreeing first, and at the end what only one of the results can have."""
    takeable = set(held.pair.takeable)
    return (*(_compared(row, row.segment.key in takeable) for row in held.rows), *map(_not_drawn, held.not_drawn))


def summary_text(held: HeldBeside) -> str:
    """What is to be said of the whole."""
    return " ".join(map(told, held.summary))


def _compared(row: StructureAgreement, can_be_taken: bool) -> AgreementRow:
    return AgreementRow(
        key=row.segment.key,
        name=segment_name(spoken_words(), row.segment),
        dice=f"{row.dice:.3f}",
        first=f"{row.volume_first_cc:.1f}",
        second=f"{row.volume_second_cc:.1f}",
        difference=_difference(row),
        slices=row.slices,
        takeable=can_be_taken and row.volume_second_cc > 0 and row.dice < 1,
    )


def _not_drawn(one: NotDrawn) -> AgreementRow:
    volume = f"{one.volume_cc:.1f}"
    first, second = (volume, "") if one.in_first else ("", volume)
    return AgreementRow(one.segment.key, segment_name(spoken_words(), one.segment), "", first, second, told(one.words))


def _difference(row: StructureAgreement) -> str:
    """That of the volumes; of what only one result has, a number would say nothing."""
    if row.volume_first_cc and row.volume_second_cc:
        rounded = round(row.volume_difference_percent)
        return f"{rounded:+d} %" if rounded else "0 %"
    return tr("only in the first") if row.volume_first_cc else tr("only in the second")

"""The facts of a run and of its review in words: what computed, on what, what was found about the scan, who changed what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..anatomy import Side
from ..case_result import HistoryEvent
from ..language.catalogue import Words
from ..language.catalogue import noted as N_
from ..resources import resource_folder
from ..review.reference import cohort
from ..run_facts import RunFacts
from ..settings import CALIBRATED
from ..tasks import DEFAULT_TASK
from ..wording.findings import ToldFinding, told_finding
from ..wording.names import segment_name, side_letter, structure_name
from .case import ReportCase

_DIGITS_OF_DIGEST = 16
# So many of the last steps stand on the first page.
LAST_STEPS = 6
MOST_NAMED = 8
_DID = {
    "edited": N_("edited"),
    "accepted": N_("accepted"),
    "reopened": N_("opened again"),
    "reverted": N_("brought back to the automatic version"),
    "height": N_("height changed"),
    "rated": N_("judged by rating"),
}
_LONGEST_NAME = 40

Line = tuple[str, str]


@dataclass(frozen=True)
class Event:
    """A step of the review: when, who, and what in words."""

    when: str
    who: str
    what: str


def run_lines(case: ReportCase, words: Words) -> list[Line]:
    """Titles and values of what is known about the run."""
    _ = words.gettext
    facts = case.result.facts
    record = facts.record
    software, image = record.get("software") or {}, record.get("input") or {}
    lines = [
        (_("Task"), "" if case.result.task.name == DEFAULT_TASK else f"{_(case.result.task.title)} ({case.result.task.name})"),
        (_("Run"), moment(facts.date) if facts.date else ""),
        (_("Software"), " ".join(str(software[key]) for key in ("name", "version") if key in software)),
        (_("Model bundle"), _bundle(record.get("bundle"))),
        (_("Model of another program"), _other_model(record.get("other_model"))),
        (_("Dropout passes"), _passes(facts, words)),
        (_("Rule of the lights"), _lights(facts, words)),
        (_("Seed"), "" if facts.seed is None else str(facts.seed)),
        (_("Device"), ", ".join(filter(None, (str(record.get("device") or ""), *facts.backends)))),
        (_("Time"), _seconds(record.get("seconds"))),
        (_("Height"), f"{100 * facts.height_m:.0f} cm" if facts.height_m else _("not known: volumes are not normalised")),
        (_("Scan"), _image(case, image)),
        (_("Digest of the scan"), (facts.input_digest or "")[:_DIGITS_OF_DIGEST]),
        (_("Region"), _region(facts)),
        (_("Packages"), ", ".join(f"{name} {version}" for name, version in (record.get("packages") or {}).items() if version)),
    ]
    return [(title, text) for title, text in lines if text]


def findings(case: ReportCase, words: Words) -> list[ToldFinding]:
    """What was found about the scan and the run."""
    return [told_finding(words, finding) for finding in case.result.findings]


def training_line(case: ReportCase, words: Words) -> str:
    """What the model that made this result was trained on, as far as this installation knows; nothing without a model."""
    _ = words.gettext
    bundle = case.result.facts.record.get("bundle")
    if not bundle:
        return ""
    name = str(bundle.get("name", ""))
    if name and "/" not in name and (resource_folder("Models") / name).is_dir():
        return _(
            "The bundled model was trained and calibrated on virtual patients, simulated from the anatomy of two bodies; it is not "
            "validated on CT of patients."
        )
    return _("What the model {name} was trained and calibrated on stands on its model card.").format(name=name)


def cohort_lines(words: Words) -> list[str]:
    """Whose means are given as context."""
    _ = words.gettext
    return [
        _(
            "The means given as context are those of one published cohort: 50 patients with osteoarthritis of one hip before "
            "surgery (44 women, 6 men, aged 61.4 ± 13.0 years), measured from experts' labels, apart for the affected and the "
            "other side. They are no reference range and no comparison with healthy people."
        ),
        cohort().citation + f" doi:{cohort().doi}",
    ]


def site_lines(case: ReportCase, words: Words) -> list[str]:
    """Among whose curves the numbers are placed."""
    _ = words.gettext
    if case.placing is None:
        return []
    sex = _("women") if case.placing.sex == "F" else _("men")
    return [
        _(
            "Percentiles are among the cohort of this site ({source}): {sex} around the age of {age} years. z is the score of the "
            "normal distribution with the same percentile, n the number of persons of the curve. A cohort is no norm. What is red, "
            "grey or cut has no percentile, nor has a structure of which the cohort holds too few persons."
        ).format(source=case.placing.reference.source, sex=sex, age=f"{case.placing.age:g}")
    ]


def events(case: ReportCase, words: Words) -> list[Event]:
    """What was done in the review, oldest first."""
    return [Event(moment(event.when), event.who or words.gettext("somebody"), _told(case, words, event)) for event in case.history]


def summary_of_review(case: ReportCase, words: Words) -> tuple[list[Event], int]:
    """What each reviewer did on each day to which structures, the latest last, of bounded length; how many such steps came before.

    Steps back (opened again, brought back) count as what they are.
    """
    _ = words.gettext
    groups: dict[tuple[str, str, str], list[str]] = {}
    for event in case.history:
        day = moment(event.when).partition(" ")[0]
        names = groups.setdefault((day, event.who or _("somebody"), event.what), [])
        names += [event.key] if event.key and event.key not in names else []
    lines = [
        Event(day, _cut(who), _(_DID.get(what, what)) + _listed(case, words, keys)) for (day, who, what), keys in groups.items()
    ]
    return lines[-LAST_STEPS:], max(0, len(lines) - LAST_STEPS)


def moment(text: str) -> str:
    """A time of ISO 8601 for people, in UTC; what cannot be read stands as it is."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{when.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC" if when.tzinfo else f"{when:%Y-%m-%d %H:%M}"


def _told(case: ReportCase, words: Words, event: HistoryEvent) -> str:
    _ = words.gettext
    if event.what == "height":
        before, after = (_centimetres(words, event.details.get(name)) for name in ("from_m", "to_m"))
        return _("height: {before} → {after}").format(before=before, after=after)
    if event.what == "rated":
        return _("judged by the network of {network}").format(network=event.details.get("network", ""))
    texts = {
        "edited": _("{segment}: edited"),
        "accepted": _("{segment}: accepted"),
        "reopened": _("{segment}: opened again"),
        "reverted": _("{segment}: brought back to the automatic version"),
    }
    text = texts.get(event.what, "{segment}: " + event.what.replace("{", "{{").replace("}", "}}"))
    segment = case.segment_of(event.key or "")
    name = segment_name(words, segment) if segment else event.key or ""
    return text.format(segment=name) + _volumes(event.details)


def _listed(case: ReportCase, words: Words, keys: list[str]) -> str:
    """The names of segments, those of both sides together."""
    sides: dict[str, list[str]] = {}
    for key in keys:
        segment = case.segment_of(key)
        letter = "" if segment is None or segment.side is Side.MIDLINE else side_letter(words, segment.side)
        name = key if segment is None else structure_name(words, segment.structure)
        sides.setdefault(name, []).append(letter)
    comma = words.gettext(", ")
    every = [f"{name} {comma.join(filter(None, letters))}".strip() for name, letters in sides.items()]
    if len(every) > MOST_NAMED:
        every = [*every[:MOST_NAMED], words.gettext("{number} more").format(number=len(every) - MOST_NAMED)]
    named = words.gettext("; ").join(every)
    return words.gettext(": {names}").format(names=named) if named else ""


def _volumes(details: Mapping[str, Any]) -> str:
    before, after = (details.get(name) for name in ("volume_before_cc", "volume_after_cc"))
    if before is None and after is None:
        return ""
    return f" ({_cc(before)} → {_cc(after)} cc)"


def _cc(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, int | float) else "0"


def _centimetres(words: Words, value: Any) -> str:
    return f"{100 * value:.0f} cm" if isinstance(value, int | float) else words.gettext("unknown")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def _bundle(bundle: Any) -> str:
    if not bundle:
        return ""
    digest = str(bundle.get("digest", ""))[:_DIGITS_OF_DIGEST]
    return " ".join(filter(None, (str(bundle.get("name", "")), str(bundle.get("version", "")), digest and f"({digest})")))


def _other_model(model: Any) -> str:
    """Program and version, trained model and version."""
    if not model:
        return ""
    parts = (
        " ".join(str(model[key]) for key in keys if model.get(key)) for keys in (("title", "version"), ("model", "model_version"))
    )
    return ", ".join(filter(None, parts))


def _passes(facts: RunFacts, words: Words) -> str:
    if facts.passes is None:
        return ""
    if facts.mean_passes is None or facts.mean_passes == facts.passes:
        return str(facts.passes)
    return words.gettext("up to {passes}, {mean} on average").format(passes=facts.passes, mean=f"{facts.mean_passes:.1f}")


def _lights(facts: RunFacts, words: Words) -> str:
    if facts.lights is None:
        return ""
    return words.gettext("all evidence") if facts.lights == CALIBRATED else words.gettext("uncertainty alone (Soufi et al. 2025)")


def _seconds(times: Any) -> str:
    return f"{sum(times.values()):.0f} s" if times else ""


def _image(case: ReportCase, image: Mapping[str, Any]) -> str:
    size = image.get("size") or case.result.geometry.size
    spacing = image.get("spacing_mm") or case.result.geometry.spacing
    return "{} × {} × {}, ".format(*size) + "{:.3g} × {:.3g} × {:.3g} mm".format(*spacing)


def _region(facts: RunFacts) -> str:
    if not facts.region_lps_mm:
        return ""
    x0, x1, y0, y1, z0, z1 = facts.region_lps_mm
    return f"LPS {x0:.0f} – {x1:.0f}, {y0:.0f} – {y1:.0f}, {z0:.0f} – {z1:.0f} mm"

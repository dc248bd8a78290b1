"""Shows one structure: its light with reasons, its numbers, its history."""

from datetime import datetime
from itertools import groupby

from MSKSegmentLib.language.catalogue import spoken_words
from MSKSegmentLib.language.catalogue import tr as _
from MSKSegmentLib.review.evidence import probability_text
from MSKSegmentLib.wording.reasons import told_reason
from MSKSegmentLib.wording.uncertainty import told_uncertainty

from .icons import markIcons, pixmap

_HISTORY_LINES = 3
_COLUMNS_PER_LINE = 3
# The bar of the uncertainty, in pixels; its colours do for light and dark panels.
_BAR_WIDTH, _MARK_WIDTH, _BAR_HEIGHT = 90, 3, 9
# What stays of the bar beside a mark at its end, without which the dark mark would vanish in a dark panel.
_EDGE = 3
_BAR_COLOR, _USUAL_COLOR, _MARK_COLOR = "#c9d0d9", "#7fb0e6", "#101418"


class StructurePanel:
    """The section on the selected structure."""

    def __init__(self, ui):
        self._ui = ui
        self._pixmaps = {mark: pixmap(anIcon) for mark, anIcon in markIcons().items()}
        self.clear()

    def clear(self):
        """Show that nothing is selected."""
        ui = self._ui
        ui.lightIconLabel.setVisible(False)
        ui.titleLabel.setText(_("Choose a row"))
        for label in (ui.stateLabel, ui.reasonsLabel, ui.uncertaintyLabel, ui.valuesLabel, ui.sliceLabel, ui.historyLabel):
            label.setText("")
        for widget in (ui.reasonsLabel, ui.uncertaintyLabel, ui.numbersSection):
            widget.setVisible(False)
        for button in (ui.previousSliceButton, ui.nextSliceButton, ui.editButton, ui.acceptButton, ui.revertButton):
            button.setEnabled(False)

    def show(self, session, key):
        """Show the structure of that key."""
        ui, row, report = self._ui, session.row(key), session.report(key)
        ui.lightIconLabel.setVisible(True)
        ui.lightIconLabel.setPixmap(self._pixmaps[row.mark])
        ui.titleLabel.setText(row.name)
        ui.stateLabel.setText(row.state_text)
        ui.reasonsLabel.setText(_verdictText(row))
        ui.reasonsLabel.setToolTip(row.tooltip)
        uncertainty = told_uncertainty(spoken_words(), report)
        ui.uncertaintyLabel.setVisible(uncertainty is not None)
        if uncertainty is not None:
            ui.uncertaintyLabel.setText(_uncertaintyHtml(uncertainty))
            ui.uncertaintyLabel.setToolTip(uncertainty.explanation(spoken_words()))
        ui.valuesLabel.setText(_valuesHtml(row, report, uncertainty, session.columns))
        ui.valuesLabel.setToolTip("\n".join(row.evidence))
        events = [_eventText(event) for event in session.history if event.key == key][-_HISTORY_LINES:]
        ui.historyLabel.setText("\n".join(events))
        ui.historyLabel.setVisible(bool(events))
        for widget in (ui.reasonsLabel, ui.numbersSection):
            widget.setVisible(True)
        ui.editButton.setEnabled(True)
        ui.acceptButton.setEnabled(True)
        ui.acceptButton.setText(_("Reopen") if row.state.value == "accepted" else _("Accept"))
        ui.revertButton.setEnabled(report.dice_to_automatic is not None)

    def showSlice(self, place, slices):
        """Show which of the worst slices is in sight; `place` counts from 0."""
        ui = self._ui
        ui.previousSliceButton.setEnabled(place > 0)
        ui.nextSliceButton.setEnabled(place + 1 < len(slices))
        if not slices:
            ui.sliceLabel.setText(_("no slice shows it"))
            return
        text = _("Slice {place} of {count} by uncertainty") if slices[0].uncertainty is not None else _("Slice {place} of {count}")
        ui.sliceLabel.setText(text.format(place=place + 1, count=len(slices)))


def _verdictText(row):
    """The light in words, and why; of what was not found the reasons alone."""
    reasons = _("; ").join(told_reason(spoken_words(), reason) for reason in row.reasons)
    if not reasons:
        return f"{row.verdict[:1].upper()}{row.verdict[1:]}"
    text = _("{name}: {text}").format(name=row.verdict, text=reasons) if row.found else reasons
    return _("{sentence}.").format(sentence=f"{text[:1].upper()}{text[1:]}")


def _uncertaintyHtml(uncertainty):
    """The uncertainty in words, a bar whose blue middle third is what is usual for the structure, and the number."""
    if not uncertainty.word:
        return _("{name}: {text}").format(name=_("Uncertainty"), text=uncertainty.text)
    words = _("Uncertainty: {word} for this structure.").format(word=f"<b>{uncertainty.word}</b>")
    cells = "".join(f'<td width="{width}" bgcolor="{color}"></td>' for width, color in _bar(uncertainty.place))
    bar = f'<table cellspacing="0" cellpadding="0" height="{_BAR_HEIGHT}"><tr>{cells}</tr></table>'
    parts = "".join(f'<td valign="middle" style="padding-right: 6px">{part}</td>' for part in (words, bar, uncertainty.text))
    return f'<table cellspacing="0" cellpadding="0"><tr>{parts}</tr></table>'


def _bar(place):
    """Widths and colours of the parts of the bar from left to right, with a mark at `place` (0..1)."""
    third, at = _BAR_WIDTH // 3, _EDGE + round(place * (_BAR_WIDTH - _MARK_WIDTH - 2 * _EDGE))
    pixels = [_USUAL_COLOR if third <= x < 2 * third else _BAR_COLOR for x in range(_BAR_WIDTH)]
    pixels[at : at + _MARK_WIDTH] = [_MARK_COLOR] * _MARK_WIDTH
    return [(len(list(run)), color) for color, run in groupby(pixels)]


def _valuesHtml(row, report, uncertainty, columns):
    """Numbers with their names, three to a line."""
    likely = {"volume_cc": report.volume_interval_cc, "mean_hu": report.mean_hu_interval}
    pairs = []
    for column in columns:
        if column.numeric and row.values.get(column.name) is not None:
            text = f"{row.texts[column.name]} {column.unit}".strip()
            pairs.append((column.title, text + _range(likely.get(column.name))))
        if column.name == "dice_failed_below" and report.failure_probability is not None:
            pairs.append((_("Probability of error"), probability_text(report.failure_probability)))
    if uncertainty is not None:
        pairs.append((_("Uncertainty"), uncertainty.text + (f" ({uncertainty.word})" if uncertainty.word else "")))
    if report.dice_to_automatic is not None:
        pairs.append((_("Dice to automatic"), f"{report.dice_to_automatic:.2f}"))
    cells = [f"{name}<br/><b>{value}</b>" for name, value in pairs]
    lines = [cells[start : start + _COLUMNS_PER_LINE] for start in range(0, len(cells), _COLUMNS_PER_LINE)]
    width = 100 // _COLUMNS_PER_LINE
    rows = "".join("<tr>" + "".join(f'<td width="{width}%">{cell}</td>' for cell in line) + "</tr>" for line in lines)
    return f'<table width="100%" cellspacing="0" cellpadding="2">{rows}</table>'


def _range(interval):
    """An interval in brackets, as the table writes that of the predicted Dice; beside a minus a dash would be misread."""
    if interval is None:
        return ""
    low, high = (f"{bound:.0f}" for bound in interval)
    return " " + (_("({low} to {high})") if interval[0] < 0 else "({low}–{high})").format(low=low, high=high)


def _eventText(event):
    when = datetime.fromisoformat(event.when).astimezone().strftime("%Y-%m-%d %H:%M")
    words = {"edited": _("Edited"), "accepted": _("Accepted"), "reopened": _("Reopened"), "reverted": _("Reverted")}
    dice = event.details.get("dice_to_automatic")
    suffix = "" if dice is None else _(", Dice to automatic {dice}").format(dice=f"{dice:.2f}")
    return _("{what} by {who}, {when}{suffix}").format(
        what=words.get(event.what, event.what), who=event.who, when=when, suffix=suffix
    )

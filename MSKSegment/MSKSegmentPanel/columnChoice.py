"""Which columns the table of results shows: a menu of check marks, kept in Slicer's settings."""

import qt
import slicer

from MSKSegmentLib.review.columns import ALL_COLUMNS, COLUMN_OF, SITE_COLUMNS, columns_of
from MSKSegmentLib.tasks import HIP_THIGH_CT

# What fits into a panel of ordinary width.
_AT_FIRST = ("light", "structure", "side", "volume_cc", "predicted_dice", "mean_hu", "fat_percent")
# Without these a row does not say what it is about.
_ALWAYS = ("light", "structure", "side")
# ... and who has numbers placed among a reference wants to see where they lie.
_ALWAYS = (*_ALWAYS, *(column.name for column in SITE_COLUMNS.values()))
_SETTING = "MSKSegment/Columns"


class ColumnChoice:
    """The menu of a tool button; `onChange` is called when another choice was made."""

    def __init__(self, button, onChange):
        self._onChange = onChange
        self._actions = {}
        self._ofTask = set()
        kept = slicer.util.settingsValue(_SETTING, "")
        chosen = kept.split(",") if kept else _AT_FIRST
        self._menu = qt.QMenu(button)
        for column in ALL_COLUMNS:
            if column.name not in _ALWAYS:
                action = self._menu.addAction("")
                action.setCheckable(True)
                action.setChecked(column.name in chosen)
                action.connect("toggled(bool)", self._toggled)
                self._actions[column.name] = action
        self._menu.setToolTipsVisible(True)
        button.setMenu(self._menu)
        self.setTask(None)

    def setTask(self, task, placed=()):
        """Offer the columns of a task only, None: of the default one; what was chosen for other tasks is kept.

        `placed` are the quantities that are placed among the curves of a site.
        """
        self._ofTask = {column.name for column in columns_of(task or HIP_THIGH_CT, placed)}
        for name, action in self._actions.items():
            action.setText(COLUMN_OF[name].heading)
            action.setToolTip(COLUMN_OF[name].tooltip)
            action.setVisible(name in self._ofTask)

    @property
    def chosen(self):
        """Names of the columns to show."""
        return tuple(name for name in self._kept if name in self._ofTask)

    @property
    def _kept(self):
        return (*_ALWAYS, *(name for name, action in self._actions.items() if action.checked))

    def _toggled(self, *args):
        slicer.app.settings().setValue(_SETTING, ",".join(self._kept))
        self._onChange()

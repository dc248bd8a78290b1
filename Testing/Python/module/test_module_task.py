"""The panel with a result of an MR task: its structures, words and columns, and nothing about densities; then with a CT again."""

from module_cases import add_phantom, choose, open_module, show_case, show_result
from mr_phantoms import mr_labels, mr_volume

from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.review import columns_of
from MSKSegmentLib.review.columns import ALL_COLUMNS
from MSKSegmentLib.tasks import load_task


def _shown_columns(panel):
    table = panel.ui.resultsTable
    return {column.name for place, column in enumerate(ALL_COLUMNS) if not table.isColumnHidden(place)}


def test_the_panel_follows_the_task():
    task = load_task("lower-limb-mr")
    volume = mr_volume()
    result = measure_case(mr_labels(task.table), volume.geometry, volume, 1.65, task=task)
    with open_module() as panel:
        ui = panel.ui
        before = _shown_columns(panel)
        assert "mean_hu" in before and ui.ctLabel.text == "CT:"
        case = show_result(panel, result, add_phantom(volume, "MR"))
        assert case.session.task == task and case.session.volume.modality == "MR"
        assert _shown_columns(panel) == before - {"mean_hu", "fat_percent"}
        assert ui.ctLabel.text == "MR scan:"
        choose(panel, "SOL_left")
        for widget in (ui.histogramButton, ui.densitySelector, ui.densityLegendLabel, ui.boneWindowCheckBox):
            assert not widget.isVisibleTo(widget.parentWidget())
        assert "Soleus, left" in ui.titleLabel.text and " HU" not in ui.valuesLabel.text
        assert " HU" not in ui.reasonsLabel.toolTip and "cc/m²" in ui.valuesLabel.text
        offered = {action.text for action in ui.columnsButton.menu().actions() if action.visible}
        assert offered == {column.heading for column in columns_of(task)} - {"Light", "Structure", "Side"}
        groups = [ui.groupFilter.itemText(place) for place in range(ui.groupFilter.count)]
        assert groups == ["All groups", "Hip muscles", "Thigh muscles", "Calf muscles"]
        # Stored in the scene and taken up again as a case of its task.
        panel.logic.forgetAll()
        (restored,), errors = panel.logic.restoreCases()
        assert not errors and restored.session.task == task and restored.session.volume.modality == "MR"
        # A case of CT brings all of it back.
        show_case(panel)
        assert _shown_columns(panel) == before and ui.ctLabel.text == "CT:"
        assert ui.histogramButton.isVisibleTo(ui.histogramButton.parentWidget())

"""The selector of results, seen only where a scene has several."""


class ResultSelector:
    """`onChosen` is called with the case that the user chooses among those of the logic."""

    def __init__(self, selector, logic, onChosen):
        self._selector = selector
        self._logic = logic
        selector.connect("activated(int)", lambda index: onChosen(self._logic.cases[index]))

    def refresh(self, shown):
        """List the cases there are; `shown` is the one in the panel, or None."""
        selector, cases = self._selector, self._logic.cases
        selector.clear()
        for case in cases:
            selector.addItem(f"{case.nodes.segmentation.GetName()} ({case.nodes.ct.GetName()})")
        if shown in cases:
            selector.setCurrentIndex(cases.index(shown))
        selector.setVisible(len(cases) > 1)

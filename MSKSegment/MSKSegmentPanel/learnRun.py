"""The engine learning from corrections, or saying what there is to learn from. No qt."""

from MSKSegmentLib.engine import EngineRun

from .segmentationRun import EngineChild, childEnvironment, pythonProgram


class LearnRun(EngineChild):
    """A learning under way; what it makes lies beside the new bundle and stays when it is stopped."""

    def __init__(self, request):
        """Start it with a `LearnRequest`."""
        self._engine = EngineRun(request.arguments(), None, pythonProgram(), childEnvironment())

    @property
    def answer(self):
        """What there is to learn from, of a request for no more than that (`MSKSegmentLib.learning.listing`)."""
        return self._engine.answer

    @property
    def sentence(self):
        """What became of it, or what went wrong."""
        return self._engine.message

    @property
    def log(self):
        """What the engine printed beside its progress."""
        return self._engine.details

    @property
    def wentWell(self):
        """Whether it ended with what was asked for."""
        return self._engine.exit_code == 0

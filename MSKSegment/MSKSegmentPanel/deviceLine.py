"""The line that says what will compute and how long a run takes, asked from the engine without blocking."""

from MSKSegmentLib.engine import DevicesRequest, EngineRun
from MSKSegmentLib.errors import MSKSegmentError
from MSKSegmentLib.language.catalogue import tr as _
from MSKSegmentLib.language.forms import told

from .segmentationRun import childEnvironment, pythonProgram
from .widgets import repeating, singleShot

_POLL_MS = 200
# Several choices in a row ask once.
_SETTLE_MS = 600


class DeviceLine:
    """Asks again whenever the inputs change, but only between `start` and `stop`."""

    def __init__(self, label, inputs):
        self._label = label
        self._inputs = inputs
        self._active = False
        self._engine = None
        self._asked = None
        self._settle = singleShot(_SETTLE_MS, self._ask)
        self._timer = repeating(_POLL_MS, self._poll)

    def start(self):
        """Ask now and after changes."""
        self._active = True
        self.refresh()

    def stop(self):
        """Stop asking; drop a question under way."""
        self._active = False
        self._settle.stop()
        self._drop()

    def refresh(self):
        """The inputs may have changed."""
        if self._active:
            self._settle.start()

    def askAgain(self):
        """What the answer rests on may have changed, such as the packages that are installed."""
        self._asked = None
        self.refresh()

    def _ask(self):
        if self._inputs.settings.model is not None:
            self._drop()
            self._label.setText(_("How long the model of another program takes is not known."))
            return
        request = self._request()
        if request == self._asked:
            return
        self._drop()
        self._asked = request
        self._label.setText(_("Asking..."))
        self._engine = EngineRun.devices(request, pythonProgram(), childEnvironment())
        self._timer.start()

    def _poll(self):
        self._engine.poll()
        if self._engine.exit_code is None:
            return
        self._timer.stop()
        warnings = self._engine.answer.get("warnings", [])
        self._label.setText("\n".join(map(told, (self._engine.message, *warnings))))
        if self._engine.exit_code != 0:
            # What was missing may be there when the inputs change next.
            self._asked = None
        self._engine = None

    def _drop(self):
        self._timer.stop()
        engine, self._engine, self._asked = self._engine, None, None
        if engine is not None:
            engine.cancel()

    def _request(self):
        settings = self._inputs.settings
        size, spacing = _bodyGrid(self._inputs.ctNode)
        return DevicesRequest(size=size, spacing=spacing, bundle=settings.bundle, passes=settings.passes, device=settings.device)


def _bodyGrid(ctNode):
    """Size and spacing ``(x, y, z)`` of the part of the CT that the network will see; None twice where there is none."""
    from MSKSegmentLib.ct import to_working_grid
    from MSKSegmentLib.ct.cropping import body_box
    from MSKSegmentLib.scene import volume_of_node

    try:
        volume = to_working_grid(volume_of_node(ctNode)).volume if ctNode else None
        box = body_box(volume) if volume else None
    except MSKSegmentError:
        # What is wrong with the volume is said when it is to be segmented.
        return None, None
    return (box.size_xyz, volume.geometry.spacing) if box else (None, None)

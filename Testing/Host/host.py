"""Starting, feeding and closing the host: `start`, `loadModule`, `grab`, `processEvents`, `close`."""

from __future__ import annotations

import os
import sys
import time
import types
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]

# What stood in the place of what `start` makes: imports of the module under test, and attributes of the package `slicer`.
_ABSENT = object()
_imports: dict[str, Any] = {}
_attributes: dict[str, Any] = {}
_headless: Any = None


def start(
    packaging: bool = True, pytorchExtension: bool = True, mainWindow: bool = True, views: bool = False, wrapper: bool = True
) -> Any:
    """Make ``qt``, ``ctk``, ``slicer.app``, ``slicer.mrmlScene`` and the rest; return the application.

    `packaging` chooses a Slicer with or without ``slicer.packaging``, `pytorchExtension` one with or without that
    extension; `mainWindow` False stands for ``--no-main-window``; `views` prepares offscreen rendering; `wrapper` False is a
    Slicer without ``parameterNodeWrapper``.

    Raises:
        RuntimeError: the host is already running.
    """
    global _headless
    if _headless is not None:
        raise RuntimeError("the host is already running; close it first")
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("QT_ENABLE_HIGHDPI_SCALING", "0")
    from MSKSegmentLib.scene.application import HeadlessApplication

    from . import pythonqt

    qt = pythonqt.qtModule()
    # Everything else of this package is made from the altered Qt classes.
    from . import application, dialogs, dicom_database, packages

    dialogs.install()
    packages.install()
    pythonqt.slotErrors.clear()
    _headless = HeadlessApplication(views=views)
    sys.excepthook = _keepException
    _provideImports(qt, packaging, pytorchExtension, wrapper)
    _setInSlicer("mrmlScene", _headless.scene)
    _setInSlicer("selfTests", {})
    _setInSlicer("modules", types.SimpleNamespace(sampleDataSources={}, sampleDataSourceCategories={}))
    _setInSlicer("dicomDatabase", dicom_database.ctkDICOMDatabase())
    app = qt.QApplication.instance() or application.qSlicerApplication()
    _setInSlicer("app", app)
    app.open(_headless, mainWindow)
    application.addCoreModules(app)
    return app


def close() -> None:
    """Unload the modules, free the scene and take back what `start` made; closing twice does no harm."""
    global _headless
    if _headless is None:
        return
    import slicer

    from . import packages, pythonqt

    slicer.app.closeScene()
    pythonqt.disconnectAll(slicer.app)
    packages.uninstall()
    _headless.close()
    _headless = None
    sys.excepthook = sys.__excepthook__
    for namespace, before in ((sys.modules, _imports), (vars(slicer), _attributes)):
        for name, value in before.items():
            if value is _ABSENT:
                namespace.pop(name, None)
            else:
                namespace[name] = value
        before.clear()


def loadModule(name: str, folder: Path | None = None) -> Any:
    """Load the scripted module as at Slicer's start-up, open its panel as a user would; return the panel's object.

    Without a main window the panel is only made, as Slicer's generic module tests do.

    `folder` holds ``<name>.py``; by default the folder of that name in the repository. What the description, the
    panel's constructor, `setup` or `enter` raise is raised here, where Slicer would print it and go on.
    """
    import slicer

    from . import scripted

    path = (folder or REPOSITORY / name) / f"{name}.py"
    slicer.app.moduleManager().add(scripted.loadScriptedModule(path))
    slicer.app.startupCompleted.emit()
    if slicer.util.mainWindow() is not None:
        slicer.util.selectModule(name)
    return slicer.util.getModuleWidget(name)


def processEvents(seconds: float = 0.0, until: Any = None) -> bool:
    """Let Qt work for that long, or until `until()` is true; return whether it became true in time."""
    import slicer

    end = time.monotonic() + seconds
    while True:
        slicer.app.processEvents()
        if until is not None and until():
            return True
        if time.monotonic() >= end:
            return until is None
        time.sleep(0.005)


def grab(widget: Any, png: str | os.PathLike[str], width: int | None = None, height: int | None = None) -> Path:
    """Write a picture of the widget, at its own or the given size, as Qt paints it without a screen.

    Raises:
        OSError: the file cannot be written there.
    """
    # A panel's Python object is as welcome as its widget.
    frame = widget if hasattr(widget, "grab") else widget.parent
    window = frame.window()
    window.show()
    processEvents(0.05)
    hint = frame.sizeHint()
    wanted = (width or max(frame.width, hint.width()), height or max(frame.height, hint.height()))
    # Inside a window the layouts give sizes: the window has to grow by what the widget lacks, and once more when
    # a scroll bar came or went.
    for _attempt in range(2):
        window.resize(window.width + wanted[0] - frame.width, window.height + wanted[1] - frame.height)
        processEvents(0.05)
    if not frame.grab().save(os.fspath(png), "PNG"):
        raise OSError(f"{png} could not be written")
    return Path(png)


def messages() -> tuple[Any, ...]:
    """Return the dialogs that appeared since the start, in order."""
    from . import dialogs

    return tuple(dialogs.shown)


def answer(*values: Any) -> None:
    """Say what the next dialogs return; see `dialogs.answer`."""
    from . import dialogs

    dialogs.answer(*values)


def setMissing(*names: str) -> None:
    """Let these Python packages count as not installed, until the module asks for them."""
    from . import packages

    packages.missing.update(names)


def failInstallations(*errors: Exception) -> None:
    """Let the next installations fail with these exceptions, one each."""
    from . import packages

    packages.failures.extend(errors)


def installations() -> tuple[tuple[str, tuple[str, ...], str | None], ...]:
    """Return what was to be installed since the start: (function, requirements, requester)."""
    from . import packages

    return tuple(packages.requests)


def errors() -> tuple[str, ...]:
    """Return the exceptions that slots and observers raised since the start, as printed: Slicer goes on after them."""
    from . import pythonqt

    return tuple(pythonqt.slotErrors)


def _keepException(kind: Any, value: Any, trace: Any) -> None:
    from . import pythonqt

    try:
        raise value.with_traceback(trace)
    except kind:
        pythonqt.reportError("in Python code called by Qt or VTK")


def _provideImports(qt: types.ModuleType, packaging: bool, pytorchExtension: bool, wrapper: bool) -> None:
    from . import ctk_widgets, packages, parameter_node_wrapper, qmrml_widgets, sample_data, scripted, ui_loader

    vars(qt)["QUiLoader"] = ui_loader.QUiLoader
    ctk, i18n = types.ModuleType("ctk"), types.ModuleType("slicer.i18n")
    vars(ctk).update(ctk_widgets.WIDGETS)
    vars(i18n).update(tr=lambda text: text, translate=lambda _context, text: text)
    for name, module in {
        "qt": qt,
        "ctk": ctk,
        "SampleData": sample_data.MODULE,
        "PyTorchUtils": packages.torchModule() if pytorchExtension else None,
        "slicer.ScriptedLoadableModule": scripted,
        "slicer.i18n": i18n,
        "slicer.parameterNodeWrapper": parameter_node_wrapper.wrapper_module() if wrapper else None,
        "slicer.packaging": packages.packagingModule() if packaging else None,
    }.items():
        _imports.setdefault(name, sys.modules.get(name, _ABSENT))
        # None makes the import fail as that of a missing module does.
        sys.modules[name] = module  # type: ignore[assignment]
        if module is not None and name.startswith("slicer."):
            _setInSlicer(name.removeprefix("slicer."), module)
    for name, cls in {**qmrml_widgets.WIDGETS, **vars(scripted)}.items():
        if name.startswith(("qMRML", "qSlicer")):
            _setInSlicer(name, cls)


def _setInSlicer(name: str, value: Any) -> None:
    import slicer

    _attributes.setdefault(name, vars(slicer).get(name, _ABSENT))
    setattr(slicer, name, value)

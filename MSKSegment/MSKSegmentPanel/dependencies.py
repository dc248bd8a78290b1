"""The Python packages that a run needs: which are missing, and their installation when the user asks for a run.

Nothing is imported to find out what is missing: torch must never be loaded into Slicer's own process.
"""

import importlib
import importlib.metadata
import logging
import os

import slicer

from MSKSegmentLib.errors import DependencyError
from MSKSegmentLib.language.catalogue import tr as _

_LOG = logging.getLogger(__name__)
REQUESTER = "MSKSegment"
TORCH = "torch"
TORCH_VERSIONS = ">=2.4"
# What exports and learning need beside a run, as the extras of pyproject.toml that are called report, dicom and train.
PDF_REQUIREMENTS = ("weasyprint>=68",)
REPORT_REQUIREMENTS = ("jinja2>=3.1", "matplotlib>=3.8")
DICOM_REQUIREMENTS = ("highdicom>=0.28",)
LEARNING_REQUIREMENTS = ("monai>=1.5", "matplotlib>=3.8")
REQUIREMENTS_FILE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Resources", "requirements.txt")


def torchVersion():
    """The version of PyTorch that is installed, or None."""
    return _installedVersion(TORCH)


def missingRequirements():
    """What a run still needs, as requirements such as ``safetensors>=0.4``, PyTorch first; empty when all is there."""
    importlib.invalidate_caches()
    return [text for text in (TORCH + TORCH_VERSIONS, *_listedRequirements()) if not _isSatisfied(text)]


def ensureRequirements():
    """Install what is missing, after asking the user; does nothing, and needs no network, when all is there.

    Call it when the user starts a run, never earlier. It blocks until the installation has ended.

    Raises:
        DependencyError: something is still missing; the sentence says what to do.
    """
    missing = missingRequirements()
    if not missing:
        return
    _refuseInTests(missing)
    # PyTorch last: it is the large download, and the one whose installation fails most often.
    others = [text for text in missing if _name(text) != TORCH]
    if others:
        _installOthers(others, _("A run"), _("Segment"))
    if len(others) < len(missing):
        _installTorch()
    missing = missingRequirements()
    if missing:
        raise DependencyError(
            _("Still missing after the installation: {names}; restart Slicer and click Segment again.").format(
                names=_names(missing)
            )
        )


def ensureExportRequirements(requirements):
    """Install what of an export's `requirements` is missing, after asking the user.

    Raises:
        DependencyError: something is still missing; the sentence says what to do.
    """
    _ensure(requirements, _("This export"))


def ensureLearningRequirements():
    """Install what of learning's requirements is missing, those of a run included, after asking the user.

    Raises:
        DependencyError: something is still missing; the sentence says what to do.
    """
    ensureRequirements()
    _ensure(LEARNING_REQUIREMENTS, _("Learning"))


def _ensure(requirements, purpose):
    importlib.invalidate_caches()
    missing = [text for text in requirements if not _isSatisfied(text)]
    if missing:
        _refuseInTests(missing)
        _installOthers(missing, purpose, _("the button"))


def _refuseInTests(missing):
    if slicer.app.testingEnabled():
        raise DependencyError(_("Python packages are missing, and tests install none: {names}.").format(names=_names(missing)))


def _listedRequirements():
    with open(REQUIREMENTS_FILE, encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    return [line for line in lines if line and not line.startswith("#")]


def _slicerPackaging():
    """Slicer's module for Python packages, None in versions that have none."""
    try:
        from slicer import packaging
    except ImportError:
        return None
    return packaging


def _isSatisfied(text):
    packaging = _slicerPackaging()
    if packaging is not None:
        return packaging.pip_check(text)
    installed = _installedVersion(_name(text))
    # A build such as 2.9.0+cu128 or 2.10.0.dev1 serves as well.
    return installed is not None and _requirement(text).specifier.contains(installed, prereleases=True)


def _installedVersion(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _requirement(text):
    try:
        from packaging.requirements import Requirement
    except ImportError:
        # A Python without this package has it inside pip.
        from pip._vendor.packaging.requirements import Requirement
    return Requirement(text)


def _name(text):
    return _requirement(text).name


def _names(requirements):
    return ", ".join("PyTorch" if _name(text) == TORCH else _name(text) for text in requirements)


def _installOthers(requirements, purpose, button):
    packaging = _slicerPackaging()
    try:
        if packaging is not None:
            packaging.pip_ensure(requirements, requester=REQUESTER)
        elif _userAgrees(requirements, purpose):
            slicer.util.pip_install(requirements)
    except Exception as error:
        # pip fails in many ways: the console keeps the whole story, the user gets the next step.
        _LOG.exception("Python packages could not be installed")
        if not _isRefusal(error):
            raise DependencyError(_failed(requirements, button)) from error
    importlib.invalidate_caches()
    missing = [text for text in requirements if not _isSatisfied(text)]
    if missing:
        raise DependencyError(
            _("{purpose} needs Python packages that are not installed: {names}; click {button} again to install them.").format(
                purpose=purpose, names=_names(missing), button=button
            )
        )


def _installTorch():
    try:
        import PyTorchUtils
    except ImportError as error:
        raise DependencyError(
            _(
                "PyTorch is missing; install the extension PyTorch with Slicer's Extensions Manager, restart Slicer and click "
                "Segment again."
            )
        ) from error
    try:
        logic = PyTorchUtils.PyTorchUtilsLogic()
        torch = logic.installTorch(askConfirmation=True, torchVersionRequirement=TORCH_VERSIONS)
    except Exception as error:
        _LOG.exception("PyTorch could not be installed")
        raise DependencyError(_failed([TORCH], _("Segment"))) from error
    if torch is None:
        raise DependencyError(_("A run needs PyTorch, which is not installed; click Segment again to install it."))


def _userAgrees(requirements, purpose):
    text = _("{purpose} needs Python packages that will be downloaded and installed into Slicer:").format(purpose=purpose)
    return slicer.util.confirmOkCancelDisplay("\n".join([text, "", *requirements]), _("Install Python packages"))


def _isRefusal(error):
    """Whether the user said no: slicer.packaging raises a plain RuntimeError then; a failing pip raises another kind."""
    return type(error) is RuntimeError


def _failed(requirements, button):
    return _(
        "The installation failed ({names}); check the internet connection and the proxy, or ask your IT department to install "
        "them, and click {button} again."
    ).format(names=_names(requirements), button=button)

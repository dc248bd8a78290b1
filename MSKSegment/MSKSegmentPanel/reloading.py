"""What a reload of the module has to forget: Slicer reads the module's main file anew, and nothing else."""

import sys

_PACKAGES = ("MSKSegmentPanel", "MSKSegmentLib")


def forgetModules():
    """Let the next import read panel and library anew from their files."""
    for name in [name for name in sys.modules if name.partition(".")[0] in _PACKAGES]:
        del sys.modules[name]

"""The computer's memory, in bytes; 3D Slicer has no psutil until the first run, and nothing but a warning rests on it."""

from __future__ import annotations


def total_bytes() -> int | None:
    """All that there is; None where it cannot be told."""
    try:
        import psutil
    except ImportError:
        return None
    return int(psutil.virtual_memory().total)


def free_bytes() -> int | None:
    """What a program could still get; None where it cannot be told."""
    try:
        import psutil
    except ImportError:
        return None
    return int(psutil.virtual_memory().available)


def peak_bytes() -> int | None:
    """The most that this process has held, or holds where the peak is not known; None where it cannot be told."""
    try:
        import psutil
    except ImportError:
        return None
    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))

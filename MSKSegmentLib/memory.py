"""The computer's memory, in bytes; 3D Slicer has no psutil until the first run, and nothing but a warning rests on it there."""

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


def tree_bytes(pid: int) -> int:
    """The memory that a process and all below it hold; what has ended meanwhile counts as nothing.

    Raises:
        ImportError: psutil is not installed; whoever sets a limit needs it.
    """
    import psutil

    total = 0
    try:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            try:
                total += int(one.memory_info().rss)
            except psutil.Error:
                continue
    except psutil.Error:
        return total
    return total


def peak_bytes() -> int | None:
    """The most that this process has held, or holds where the peak is not known; None where it cannot be told."""
    try:
        import psutil
    except ImportError:
        return None
    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))

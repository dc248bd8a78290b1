"""``python -m MSKSegmentLib``: the command line."""

from .commands.main import run

if __name__ == "__main__":
    run()

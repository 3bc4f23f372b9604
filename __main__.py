"""``python -m seasoned``: the command line, for environments without the console script."""

from __future__ import annotations

from .plugin.cli import main

if __name__ == "__main__":
    main()

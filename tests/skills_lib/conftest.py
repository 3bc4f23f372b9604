"""Makes the helpers beside these tests importable, and the desk whose conversations some of them learn from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from collections.abc import Iterator

    from desk_kit import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    from desk_kit import Desk

    made = Desk(tmp_path / "home")
    yield made
    made.workspace.close(flush=False)

"""Makes the helpers beside the tests importable, and the recording that most of them use."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

with warnings.catch_warnings(), contextlib.suppress(ImportError):
    warnings.simplefilter("ignore")  # what the framework has to say about its own dependencies
    import autogen  # noqa: F401


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """The adapter, installed for one test, and everything that it records."""
    pytest.importorskip("autogen")
    from classic_kit import Recording

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "not used")
    logging.getLogger("autogen.oai.client").setLevel(logging.ERROR)
    recording = Recording(tmp_path / "home")
    with recording.on():
        yield recording


@pytest.fixture(params=["sync", "async"])
def driver(request):
    """Calls the framework's synchronous and asynchronous methods by one name."""
    from classic_kit import Driver

    return Driver(request.param)


@pytest.fixture
def heard(tmp_path):
    """The adapter of AgentChat, installed for one test, while the framework logs nothing."""
    from agentchat_kit import recorded

    logging.disable(logging.CRITICAL)
    with recorded(tmp_path) as recording:
        yield recording
    logging.disable(logging.NOTSET)

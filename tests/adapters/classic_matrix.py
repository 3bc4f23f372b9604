"""Plays every conversation in a process of its own, with or without the plugin, and prints what came of each.

::

    python classic_matrix.py off          # the framework alone
    python classic_matrix.py on           # recording, and a block injected for every agent

One JSON object: for ``name[sync]`` and ``name[async]`` everything that an application could see. The two must be
equal; ``test_classic_matrix.py`` runs both. What reached the scripted models is compared as well, without the block.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any

BLOCK = '<experience agent="x">\nYOUR CURRENT ABILITIES:\n- do {it} well\n</experience>'


def comparable(text: str) -> str:
    """What came of it without what differs from process to process, and as if nothing had been injected."""
    encoded = json.dumps(BLOCK)[1:-1]
    text = text.replace("\\n\\n" + encoded, "").replace(encoded, "")
    return re.sub(r"0x[0-9a-fA-F]{6,}", "0x", text)


def main(mode: str) -> None:
    """Play everything."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    from classic_group_scenarios import SCENARIOS
    from classic_kit import Driver, Recording

    home = Path(tempfile.mkdtemp())
    recording = Recording(home / "home") if mode == "on" else None
    if recording is not None:
        recording.tap.compose = lambda _run, _agent: BLOCK
        recording.start()
    results: dict[str, Any] = {}
    for name, play in SCENARIOS.items():
        for driver in (Driver("sync"), Driver("async")):
            folder = home / f"{name}-{driver}"
            folder.mkdir()
            os.chdir(folder)
            try:
                results[f"{name}[{driver}]"] = {"seen": play(driver), "printed": driver.printed.getvalue()}
            except BaseException as error:  # noqa: BLE001  compared, not handled
                last = traceback.extract_tb(error.__traceback__)[-1]
                results[f"{name}[{driver}]"] = {"broke": repr(error), "at": f"{Path(last.filename).name}:{last.name}"}
    os.chdir(home)
    report: dict[str, Any] = {"results": results, "events": 0, "failures": {}, "unattributed": 0}
    if recording is not None:
        report |= {
            "events": len(recording.events),
            "failures": recording.guard.last,
            "unattributed": recording.adapter.unattributed,
        }
        recording.stop()
    sys.stdout.write(comparable(json.dumps(report, default=repr)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])

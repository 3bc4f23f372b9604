"""The actions ``export`` and ``import`` of ``seasoned skills``: templates as SKILL.md folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...skills_lib.library import SkillLibrary


def export(library: SkillLibrary, named: Sequence[str], to: Path, *, overwrite: bool, json: bool) -> None:
    """Write the templates that are named, or all."""
    from ...skills_lib.exchange import export as write

    records = [library.template(ref) for ref in named] if named else library.templates()
    written = write(library, records, to, overwrite=overwrite)
    if json:
        output.print_json({"exported": [str(path) for path in written]})
        return
    for path in written:
        output.show(output.plain(str(path)))
    if not written:
        output.hint(f"No template was learned in {library.namespace!r} yet: seasoned learn")


def bring_in(library: SkillLibrary, named: Sequence[str], *, trust: bool, ignore_scripts: bool, json: bool) -> None:
    """Take templates in; exit code 1 where one was refused."""
    from ...skills_lib.exchange import bring_in as take

    done = take(library, [Path(path) for path in named], trust=trust, ignore_scripts=ignore_scripts)
    errors = [{"path": one.path, "error": one.error} for one in done if one.error is not None]
    kept = [one for one in done if one.error is None]
    if json:
        output.print_json(
            {
                "imported": sum(one.new for one in kept),
                "skipped": sum(not one.new for one in kept),
                "errors": errors,
                "templates": [
                    {"template_id": one.template_id, "name": one.name, "version": one.version} for one in kept
                ],
            }
        )
    else:
        for one in kept:
            known = "" if one.new else " (was there already)"
            output.show(output.plain(f"{one.name}  version {one.version}{known}"))
        for error in errors:
            output.complain(str(error["error"]))
        if any(one.new for one in kept) and not trust:
            output.hint("They are given to no agent before their like was learned here; --trust vouches for them.")
    if errors:
        raise typer.Exit(1)

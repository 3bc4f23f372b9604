"""Commands of the skill library: ``learn``, ``skills`` and ``similar``."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ...instrumentation.errors import NotFound
from . import exchanging, options, output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...skills_lib.embedder import Embedder
    from ...skills_lib.library import SkillLibrary
    from ...skills_lib.template_record import TemplateRecord

Action = Literal["list", "show", "diff", "delete", "restore", "export", "import"]

PATIENCE = 120.0
"""Seconds that a command waits for the embedder to load, and to embed what is known."""

SHOWN = 60
"""Characters of a template's task in the list."""


def learn(
    namespace: options.Own = None,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Work out skill templates from the runs that were judged so far: what like tasks share, and how they were solved.

    JSON: {"tasks": new tasks, "made": new templates, "changed": templates with a new version}.
    """
    with _library(namespace, home, db, learns=True) as library, output.progress("Learning from runs") as update:
        done = library.learn(lambda number, total: update(number, total))
    if json:
        output.print_json({"tasks": done.tasks, "made": done.made, "changed": done.changed})
        return
    output.show(f"{done.tasks} new tasks; {done.made} templates made, {done.changed} changed.")


def skills(
    action: Annotated[
        Action,
        typer.Argument(metavar="ACTION", help="What to do: list, show, diff, delete, restore, export or import."),
    ],
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEMPLATE|PATH]...",
            help="Templates, each by its name, id, or the beginning of its id; for import: folders or SKILL.md files.",
        ),
    ] = None,
    version: Annotated[int | None, typer.Option(metavar="N", help="Show this version. Default: the newest.")] = None,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Export into this folder.")] = Path("skills"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Export over what is there.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Import: give it to agents like one learned here.")] = False,
    ignore_scripts: Annotated[
        bool, typer.Option("--ignore-scripts", help="Import a skill that has scripts, without them.")
    ] = False,
    namespace: options.Own = None,
    yes: options.Yes = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Look into the library of skill templates: list them, show one, what its versions changed, delete it for good,
    give a withdrawn one another chance (restore), or write them as SKILL.md folders and read those (export, import).

    JSON of list: all templates; of show: one, {template_id, version, name, description, when_not, task_template,
    slots: [{name, type}], procedure: [{tool, agent, writes, optional, repeated, support, arguments: {name: {source:
    slot|result|constant|free, ...}}}], agent_sequence, required_tools, checks, pitfalls, examples, artifacts, tags,
    domain, task_type, tasks, solved, failed, state, why, origin, metrics, runs: [{run_id, success}], adaptations}; of
    diff: [{version, changed}]; of delete: {"deleted": id}; of restore: {"restored": id, "uses": n}; of export:
    {"exported": folders}; of import: {"imported": n, "skipped": n, "errors": [{path, error}],
    "templates": [{template_id, name, version}]}.
    """
    named = what or []
    wrong = {"list": "takes no template" if named else "", "import": "" if named else "needs a folder or SKILL.md file",
             "export": ""}.get(action, "" if len(named) == 1 else "needs one template")  # fmt: skip
    if wrong:
        raise typer.BadParameter(f"{action} {wrong}", param_hint="TEMPLATE|PATH")
    if action == "import":
        with _library(namespace, home, db, begins=True) as library:
            exchanging.bring_in(library, named, trust=trust, ignore_scripts=ignore_scripts, json=json)
        return
    with _library(namespace, home, db) as library:
        if action == "list":
            _list(library, json=json)
        elif action == "export":
            exchanging.export(library, named, to, overwrite=overwrite, json=json)
        else:
            record = library.template(named[0], version)
            if action == "show":
                _show(library, record, json=json)
            elif action == "diff":
                _diff(library, record, json=json)
            elif action == "restore":
                _restore(library, record, json=json)
            else:
                options.confirmed(f"Delete the template {record.name} and never learn it again?", yes=yes, json=json)
                library.delete(record.template_id)
                if json:
                    output.print_json({"deleted": record.template_id})
                else:
                    output.show(output.plain(f"Deleted {record.name}."))


def similar(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The new task, in its own words.")],
    task_type: Annotated[str | None, typer.Option("--type", metavar="NAME", help="Its type, if you know it.")] = None,
    domain: Annotated[str | None, typer.Option(metavar="NAME", help="Its domain: others are not offered.")] = None,
    tags: Annotated[str | None, typer.Option(metavar="A,B", help="Only templates with all of these.")] = None,
    without: Annotated[str | None, typer.Option(metavar="A,B", help="No templates with one of these.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 5,
    min_similarity: Annotated[float, typer.Option(metavar="S", min=0, max=1, help="The lowest score.")] = 0.0,
    namespace: options.Own = None,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Find the skill templates that fit a task, or say that none does.

    JSON: {"matches": [{template_id, name, version, score, parts, success_rate, runs, explanation}], "abstained",
    "confidence"}.
    """
    with _library(namespace, home, db, meaning=True) as library:
        answer = library.similar(
            task, task_type=task_type, domain=domain, tags=_listed(tags), without=_listed(without), limit=limit,
            least=min_similarity,
        )  # fmt: skip
    if json:
        output.print_json(answer.public())
        return
    if answer.abstained:
        output.show(f"Nothing fits (confidence {answer.confidence:.0%}), so nothing would be offered.")
        return
    for match in answer.matches:
        record = match.template
        head = f"{match.score:.0%}  {record.name} (version {record.version}, {record.state})"
        output.show(output.plain(head, "bold"))
        output.show(output.plain(f"      {output.one_line(record.task_template, 160)}"))
        output.show(
            output.plain(f"      {record.solved} of {record.solved + record.failed} runs solved; {match.explanation}")
        )


def _listed(text: str | None) -> list[str]:
    return [tag.strip() for tag in (text or "").split(",") if tag.strip()]


@contextlib.contextmanager
def _library(
    namespace: str | None,
    home: Any,
    db: str | None,
    *,
    learns: bool = False,
    begins: bool = False,
    meaning: bool = False,
) -> Iterator[SkillLibrary]:
    """The library; ``learns``: not brought up to date before, because the command does that itself; ``begins``: also
    where nothing is recorded yet; ``meaning``: compares tasks by meaning as well, if the settings say so."""
    import msgspec

    from ...skills_lib.library import SkillLibrary

    config = options.configured(home, db, namespace=namespace)
    if learns:
        config = msgspec.structs.replace(config, block=[*config.block, "templates"])
    if not begins and not options.recorded(config):
        raise NotFound(options.nothing_yet(config))
    with options.workspace(config) as opened:
        encoder = _embedder() if config.semantic and meaning else None
        library = SkillLibrary(opened.store, config.namespace, encoder=encoder)
        if encoder is not None:
            library.settle(PATIENCE)
        yield library


def _embedder() -> Embedder | None:
    """The embedder, loaded; None, with a hint why, where it cannot be."""
    from ...skills_lib.embedder import Embedder

    embedder = Embedder().start()
    if embedder.wait(PATIENCE):
        return embedder
    output.hint(embedder.failure or "the embedder is not loaded yet; the lexical matcher serves")
    return None


def _list(library: SkillLibrary, *, json: bool) -> None:
    records = library.templates()
    if json:
        output.print_json([record.public() for record in records])
        return
    if not records:
        output.hint(f"No template was learned in {library.namespace!r} yet: seasoned learn")
        return
    table = output.table("name", "state", ">version", ">tasks", ">solved", ">failed", ">given", "task")
    for record in records:
        table.add_row(
            output.plain(output.one_line(record.name, 40)),
            record.state,
            str(record.version),
            str(record.tasks),
            str(record.solved),
            str(record.failed),
            str(record.metrics.get("given", 0)),
            output.plain(output.one_line(record.task_template, SHOWN)),
        )
    output.show(table)


def _show(library: SkillLibrary, record: TemplateRecord, *, json: bool) -> None:
    runs = library.runs_behind(record.template_id)
    if json:
        behind = [{"run_id": run_id, "success": success} for run_id, success in runs]
        adapted = library.adaptations(record.template_id)
        output.print_json(
            {**record.public(), "runs": behind or record.provenance, "adaptations": adapted["adaptations"]}
        )
        return
    output.show(output.plain(f"{record.name}  version {record.version}, {record.state}", "bold"))
    lines = [*([record.why] if record.why else []), record.description, record.when_not, ""]
    lines += [f"Task: {record.task_template}"]
    lines += [f"  {{{{{slot['name']}}}}}: {slot['type']}" for slot in record.slots]
    lines += ["", "Procedure"] + [f"  {line}" for line in _steps(record)]
    for title, told in (("Checks", record.checks), ("Pitfalls", record.pitfalls)):
        if told:
            lines += ["", title] + [
                f"  {one['text']} (in {one['solved_with']} of {one['solved']} successes and "
                f"{one['failed_with']} of {one['failed']} failures, p = {one['p']:.2g})"
                for one in told
            ]
    for artifact in record.artifacts:
        lines += ["", f"Code ({artifact['language']}, in {artifact['support']} runs)"]
        lines += [f"  {line}" for line in artifact["template"].split("\n")]
    where = "" if runs else " elsewhere"
    count = len(runs) or len(record.provenance)
    lines += ["", f"Learned from {count} runs{where} of {record.tasks} tasks, {record.solved} of them solved."]
    lines += _given(library, record)
    output.show_each(output.plain(line) for line in lines)


def _given(library: SkillLibrary, record: TemplateRecord) -> list[str]:
    """What became of the runs that it was given to."""
    told = record.metrics
    if not told:
        return ["Given to no run yet."]
    ways = f"{told['followed']} followed it, {told['adapted']} adapted it, {told['abandoned']} went another way"
    lines = [f"Given to {told['given']} runs: {told['succeeded']} succeeded; {ways}."]
    for one in library.adaptations(record.template_id)["adaptations"][:5]:
        detail = f" ({one['detail']})" if one["detail"] else ""
        lines.append(f"  {one['kind']}: {one['tool']}{detail} in {one['runs']} runs")
    return lines


def _restore(library: SkillLibrary, record: TemplateRecord, *, json: bool) -> None:
    uses = library.restore(record.template_id)
    if json:
        output.print_json({"restored": record.template_id, "uses": uses})
    else:
        output.show(output.plain(f"{record.name} is given again; {uses} uses no longer count against it."))


def _steps(record: TemplateRecord) -> list[str]:
    lines: list[str] = []
    for number, step in enumerate(record.procedure, 1):
        marks = [word for word in ("writes", "optional", "repeated") if step[word]]
        given = ", ".join(f"{name} = {_source(source)}" for name, source in step["arguments"].items())
        notes = f"  [{', '.join(marks)}]" if marks else ""
        lines.append(f"{number}. {step['tool']}({given}){notes}  in {step['support']} runs")
    return lines or ["no tools were needed"]


def _source(source: dict[str, Any]) -> str:
    kind = source["source"]
    if kind == "slot":
        return f"{{{source.get('name', '')}: {source.get('type', '')}}}"
    if kind == "result":
        path = source.get("path") or ""
        return f"{source.get('tool', '')}{'.' + path if path else ''}"
    return repr(source.get("value")) if kind == "constant" else "…"


def _diff(library: SkillLibrary, record: TemplateRecord, *, json: bool) -> None:
    from ...skills_lib.template_record import difference

    versions = library.versions(record.template_id)
    changes = [{"version": after.version, "changed": difference(before, after)} for before, after in pairwise(versions)]
    if json:
        output.print_json(changes)
        return
    if not changes:
        output.show(output.plain(f"{record.name} has one version."))
    for change in changes:
        output.show(output.plain(f"Version {change['version']}", "bold"))
        for part, what in change["changed"].items():
            output.show(output.plain(f"  {part}: {output.as_json(what, indent=None)}"))

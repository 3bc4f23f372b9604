"""Growth on real recordings: from a journal through the database into an agent's prompt."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from seasoned.growth.growth_json import profile_json
from seasoned.growth.plugin import GrowthPlugin
from seasoned.growth.roster import AIRLINE, EXAMPLE, load_roster, roster_from
from seasoned.growth.rules import Rules
from seasoned.growth.tables import agent_profiles, agent_skills, contributions
from seasoned.instrumentation import reading
from seasoned.instrumentation.errors import NotFound
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.home import prepare
from seasoned.instrumentation.ingest import Ingester
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.records import Ability, Achievement, SkillUse
from seasoned.instrumentation.redaction import Redactor
from seasoned.instrumentation.store import Store
from seasoned.plugin import hookspecs


def in_namespace(namespace) -> Any:
    """What the plugin asks of a run in the application's thread."""
    return SimpleNamespace(namespace=namespace)


class App:
    """An application that records, and the service behind it."""

    def __init__(self, home, plugin):
        prepare(home)
        self.guard = Guard()
        self.recorder = Recorder(Writer(home), Redactor(), self.guard, namespace="app")
        self.store = Store(f"sqlite:///{home / 'seasoned.db'}")
        self.store.prepare()
        self.ingester = Ingester(self.store, home, lambda: self.recorder.writer, self.guard)
        self.plugin = plugin

    def chat(self, *, tools=("get_user_details",), domain="airline", parent=None, agents=("agent",), success=None,
             failing=(), excluded=()):  # fmt: skip
        """One group chat: a customer asks; each agent in turn calls the tools and replies."""
        recorder = self.recorder
        run = recorder.begin(domain=domain, parent=parent, agents=["customer", *agents])
        recorder.message(run, "customer", ["agent"], "user", "Hi! I need a flight, please.", by_user=True)
        for agent in agents:
            for tool in (*tools, *failing):
                run.turn += 1
                recorder.record(run, "model_call", agent, {"model": "m"})
                recorder.message(run, agent, ["executor"], "assistant", None)
                call = {"tool": tool, "call_id": "1", "arguments": {}, "caller": agent}
                recorder.record(run, "tool_call", "executor", call)
                ok = tool not in failing
                recorder.record(
                    run, "tool_result", "executor", {"tool": tool, "call_id": "1", "ok": ok, "content": "x"}
                )
                recorder.message(run, "executor", [agent], "tool", "x")
            run.turn += 1
            recorder.record(run, "model_call", agent, {"model": "m"})
            recorder.message(run, agent, ["customer"], "assistant", "Done.")
        recorder.finish(run, "done")
        if success is not None:
            self.judge(run, success, excluded)
        return run

    def judge(self, run, success, excluded=()):
        payload = {"success": success, "source": "user"}
        if excluded:
            payload["excluded"] = list(excluded)
        self.recorder.record(run, "outcome", None, payload)

    def learn(self, *runs):
        while self.ingester.step().bytes:
            pass
        for run in runs:
            with self.store.writing() as connection:
                self.plugin.learn(run=reading.find(connection, run.run_id), connection=connection)
        with self.store.reading() as connection:
            self.plugin.store_changed(connection=connection)

    def profile(self, agent="agent") -> Any:
        with self.store.reading() as connection:
            return self.plugin.profile_json(connection, agent)

    def block(self, agent="agent", namespace="app"):
        run = in_namespace(namespace)
        return {section.name: section.text for section in self.plugin.prompt_sections(run=run, agent=agent)}


@pytest.fixture
def start(tmp_path):
    """Starts an application; it is closed at the end of the test."""
    made = []

    def build(plugin=None, name="home"):
        app = App(tmp_path / name, plugin or GrowthPlugin("app"))
        made.append(app)
        return app

    yield build
    for app in made:
        app.recorder.writer.close()
        app.store.dispose()


def test_skills_emerge_from_domain_and_tools_of_a_recorded_run(start):
    app = start()
    app.learn(app.chat(tools=("get_user_details", "book"), failing=("pay",), success=True))
    profile = app.profile()
    assert {skill["slug"]: skill["xp"] for skill in profile["skills"]} == {
        "airline": 13, "book": 6, "get_user_details": 6,
    }  # fmt: skip
    assert profile["total_xp"] == 25  # nobody named the kind of task here, so none is the first of its kind
    assert profile["specialization"] == "airline"
    with pytest.raises(NotFound):
        app.profile("executor")
    with pytest.raises(NotFound):
        app.profile("customer")


def test_the_published_shape(start):
    app = start()
    app.learn(app.chat(success=True))
    profile = app.profile()
    assert list(profile)[:8] == [
        "agent", "title", "agent_level", "total_xp", "specialization", "skills", "attributes", "achievements",
    ]  # fmt: skip
    assert list(profile["attributes"].items()) == [
        ("thoroughness", 0.5), ("speed", 0.5), ("independence", 0.51), ("collaboration", 0.5), ("creativity", 0.5),
        ("resilience", 0.5), ("caution", 0.5), ("curiosity", 0.5),
    ]  # fmt: skip
    assert (profile["success_streak"], profile["failure_streak"], profile["calm_streak"]) == (1, 0, 1)
    assert profile["achievements"][0]["slug"] == "first_blood"
    assert list(profile["skills"][0])[:10] == [
        "name", "slug", "domain", "level", "xp", "xp_to_next", "times_used", "times_succeeded", "success_rate",
        "abilities",
    ]  # fmt: skip
    with app.store.reading() as connection:
        everybody = app.plugin.profile_json(connection)
        assert everybody == [profile]
        bare: Any = profile_json(connection, "app", "agent")
        assert bare["skills"] == profile["skills"]
        with pytest.raises(NotFound, match="did you mean 'agent'"):
            app.plugin.profile_json(connection, "agnet")
        with pytest.raises(NotFound, match="seasoned outcome"):
            app.plugin.profile_json(connection, "agent", "nowhere")


def test_what_was_earned_comes_back_in_the_prompt(start):
    roster = load_roster(AIRLINE)
    app = start(GrowthPlugin("app", roster))
    assert app.block() == {}
    app.learn(*(app.chat(success=number % 5 > 0) for number in range(10)))
    block = app.block()
    assert block["abilities"].startswith(
        "YOUR CURRENT ABILITIES (earned through experience):\n- airline L2: Asks for the user id first"
    )
    assert block["strengths"] == (
        "YOUR STRENGTHS (highest skills):\n"
        "- Airline: Level 2 (about 80% success)\n"
        "- Get User Details: Level 2 (about 80% success)"
    )
    assert app.block("stranger") == {}
    assert app.block(namespace="other") == {}


def test_a_new_process_reads_what_another_has_learned(start, tmp_path):
    app = start()
    app.learn(*(app.chat(success=True) for _ in range(8)))
    other = GrowthPlugin("app")
    with app.store.reading() as connection:
        other.store_changed(connection=connection)
    run = in_namespace("app")
    assert other.prompt_sections(run=run, agent="agent") == app.plugin.prompt_sections(run=run, agent="agent") != ()


def test_an_unknown_outcome_teaches_nothing_and_a_changed_one_is_followed(start):
    app = start()
    run = app.chat()
    app.learn(run)
    with pytest.raises(NotFound):
        app.profile()
    app.judge(run, success=False)
    app.learn(run)
    assert app.profile()["total_xp"] == 5
    app.judge(run, success=True)
    app.learn(run, run)
    assert app.profile()["total_xp"] == 25
    assert app.profile()["runs"] == 1


def test_in_a_group_each_gets_its_part_and_whoever_judged_none(start):
    app = start()
    app.learn(app.chat(agents=("coder", "critic", "judge"), tools=(), domain="code", success=True, excluded=["judge"]))
    with app.store.reading() as connection:
        xp = {profile["agent"]: profile["total_xp"] for profile in app.plugin.profile_json(connection)}
    assert xp == {"coder": 13, "critic": 12}


def test_in_a_failed_group_whoever_broke_it_gets_less(start):
    app = start()
    run = app.chat(agents=("coder", "critic"), tools=(), domain="code")
    app.recorder.record(run, "error", "coder", {"error_type": "ValueError", "error": "no"})
    app.judge(run, success=False)
    app.learn(run)
    assert app.profile("coder")["total_xp"] == 2  # 5 XP, 50 to 100
    assert app.profile("critic")["total_xp"] == 3
    assert (app.profile("coder")["attributes"]["caution"], app.profile("coder")["failure_streak"]) == (0.51, 1)
    assert (app.profile("critic")["attributes"]["caution"], app.profile("critic")["failure_streak"]) == (0.5, 0)


def test_work_in_nested_chats_counts_for_the_run(start):
    app = start()
    root = app.chat(tools=())
    child = app.chat(tools=("look_up",), parent=root, agents=("helper",))
    app.judge(root, success=False)
    app.learn(root)
    assert app.profile("helper")["total_xp"] == 3  # two of three pieces of work, 5 XP
    assert app.profile("agent")["total_xp"] == 2
    with app.store.reading() as connection:
        assert connection.execute(select(contributions.c.run_id).distinct()).scalars().all() == [root.run_id]
    assert child.parent is root


def test_forgetting_a_run_takes_its_award_back(start):
    app = start()
    runs = [app.chat(success=True) for _ in range(3)]
    app.learn(*runs)
    with app.store.writing() as connection:
        app.plugin.unlearn(run_ids=[runs[0].run_id], connection=connection)
    assert app.profile()["total_xp"] == 2 * 25
    with app.store.writing() as connection:
        app.plugin.unlearn(run_ids=None, connection=connection)
        assert connection.execute(select(agent_profiles)).all() == []
        assert connection.execute(select(contributions)).all() == []


def test_emptying_leaves_other_namespaces_alone(start):
    app = start()
    mine, theirs = app.chat(success=True), app.chat(success=True)
    app.learn(mine)
    other = GrowthPlugin("other")
    with app.store.writing() as connection:
        other.unlearn(run_ids=None, connection=connection)
    assert app.profile()["runs"] == 1
    other.run_started(run=in_namespace("app"))
    with app.store.writing() as connection:
        other.unlearn(run_ids=None, connection=connection)
        assert connection.execute(select(agent_profiles)).all() == []
    assert theirs is not mine


def test_roster_agents_are_there_before_any_run_and_speak_from_the_start(start):
    app = start(GrowthPlugin("app", load_roster(EXAMPLE)))
    with app.store.reading() as connection:
        assert [profile["agent"] for profile in app.plugin.profile_json(connection)] == ["Ira", "Ralph", "Tess"]
    tess = app.profile("Tess")
    assert (tess["title"], tess["specialization"], tess["total_xp"]) == ("Test Engineer", "Test Reliability", 0)
    assert tess["skills"][0] == {
        "name": "Pytest Mastery", "slug": "pytest", "domain": "testing", "level": 3, "xp": 280, "xp_to_next": 220,
        "times_used": 0, "times_succeeded": 0, "success_rate": None,
        "abilities": ["Writes targeted tests, not shotgun coverage"], "times_failed": 0, "starting_level": 3,
        "starting_xp": 280,
    }  # fmt: skip
    assert "failure_analysis L3" in app.block("Tess")["abilities"]
    app.learn(app.chat(agents=("Tess",), tools=(), domain="debugging", success=True))
    tess = app.profile("Tess")
    assert {skill["slug"] for skill in tess["skills"] if skill["times_used"]} == {
        "failure_analysis", "import_debugging", "flaky_test_fixing",
    }  # fmt: skip
    assert len(tess["skills"]) == 8


def test_other_plugins_are_asked_and_their_nonsense_is_not_believed(start):
    answers = {"coder": [SkillUse("special", 2.0, "Special Work")], "critic": [SkillUse("nonsense", -1)], "third": None}
    plugin = GrowthPlugin(
        "app",
        exercised=lambda run, agent, events: answers[agent],
        abilities=lambda: [Ability("special", 1, "Does it specially")],
        achievements=lambda: [Achievement("any", "Any", "Anything", lambda profile, run: run.success is True)],
    )
    app = start(plugin)
    app.learn(app.chat(agents=("coder", "critic", "third"), tools=(), success=True))
    assert [(skill["slug"], skill["name"]) for skill in app.profile("coder")["skills"]] == [("special", "Special Work")]
    assert app.profile("coder")["skills"][0]["abilities"] == ["Does it specially"]
    assert app.profile("critic")["skills"][0]["slug"] == "airline"
    assert app.profile("third")["skills"][0]["slug"] == "airline"
    assert [entry["title"] for entry in app.profile("third")["achievements"]] == ["Any"]


def test_rules_of_the_roster_count_unless_others_are_given(start):
    roster = roster_from({"rules": {"first_time_solve": 0}})
    assert GrowthPlugin("app", roster).rules.first_time_solve == 0
    assert GrowthPlugin("app", roster, Rules()).rules.first_time_solve == 20
    app = start(GrowthPlugin("app", roster))
    assert GrowthPlugin("app", roster, Rules(), rules_of_plugins=lambda: {"first_time_solve": 3}).rules == Rules()
    app.learn(app.chat(success=True))
    assert app.profile()["total_xp"] == 25


def test_a_plugins_rules_count_where_nobody_else_says_anything(start, caplog):
    asked = []

    def rules():
        asked.append(1)
        return {"completed": {"medium": 40}}

    plugin = GrowthPlugin("app", rules_of_plugins=rules)
    plugin.configure()
    assert plugin.rules == Rules(completed={"low": 10, "medium": 40, "high": 50, "critical": 100})
    app = start(plugin)
    app.learn(app.chat(success=True))
    assert app.profile()["total_xp"] == 40
    GrowthPlugin("app", rules=Rules(), rules_of_plugins=rules).configure()
    assert asked == [1]
    wrong = GrowthPlugin("app", rules_of_plugins=lambda: {"complete": {}})
    wrong.configure()
    assert wrong.rules == Rules()
    assert wrong.guard.failures == {"growth_rules": 1}
    assert "the rules of a plugin: complete is not a known key; did you mean completed?" in caplog.text
    silent = GrowthPlugin("app", rules_of_plugins=lambda: None)
    silent.configure()
    assert silent.rules == Rules()


def test_live_and_rebuilt_tables_are_the_same_on_recorded_runs(start):
    app = start()
    runs = [app.chat(agents=("coder", "critic")[: 1 + n % 2], success=n % 3 > 0, tools=("a", "b")[: n % 3])
            for n in range(9)]  # fmt: skip
    app.learn(*runs[4:], *runs[:4])

    def dump():
        with app.store.reading() as connection:
            return [connection.execute(select(table)).all() for table in (agent_profiles, agent_skills, contributions)]

    live = [sorted(map(tuple, rows)) for rows in dump()]
    with app.store.writing() as connection:
        app.plugin.unlearn(run_ids=None, connection=connection)
    app.learn(*runs)
    assert [sorted(map(tuple, rows)) for rows in dump()] == live


def test_the_plugin_fits_the_hooks():
    import pluggy

    manager = pluggy.PluginManager("seasoned")
    manager.add_hookspecs(hookspecs)
    plugin = GrowthPlugin("app")
    manager.register(plugin, "growth")
    hooks = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
    assert hooks == {
        "learn", "unlearn", "store_changed", "prompt_sections", "exercised_skills", "register_abilities",
        "register_achievements", "run_started", "configure", "prompt_reasons",
    }  # fmt: skip
    implementation = manager.hook.exercised_skills.get_hookimpls()[0]
    assert implementation.trylast
    assert len(manager.hook.register_abilities()[0]) == 25
    assert [achievement.slug for achievement in manager.hook.register_achievements()[0]] == [
        "first_blood", "dual_wield", "floor_is_lava", "mastery",
    ]  # fmt: skip


def test_making_the_plugin_imports_no_database():
    code = (
        "import sys\n"
        "from seasoned.growth.plugin import GrowthPlugin\nfrom seasoned.growth.roster import load_roster, EXAMPLE\n"
        "from seasoned.plugin import hookspecs\n"
        "import pluggy\n"
        "plugin = GrowthPlugin('app', load_roster(EXAMPLE))\n"
        "manager = pluggy.PluginManager('seasoned')\n"
        "manager.add_hookspecs(hookspecs)\n"
        "manager.register(plugin, 'growth')\n"
        "plugin.prompt_sections(run=type('R', (), {'namespace': 'app'})(), agent='Tess')\n"
        "assert 'sqlalchemy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""Every hook is called when and with what it promises, and what it returns is used: seen through a small run of a plugin's own parts."""

from __future__ import annotations

import inspect
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from adjudge import (
    Aggregator,
    Command,
    ConfigError,
    Match,
    PathScorer,
    PluginError,
    Plugins,
    Probe,
    Problem,
    RewardRule,
    Run,
    Stage,
    StageResult,
    hookimpl,
    play,
)
from adjudge.api import hooks
from adjudge.cli.app import app_of
from adjudge.host.plugins import Source, registration_hooks

REGISTRATION = registration_hooks()
FROZEN = {
    "register_path_scorers": "() -> Iterable[type[PathScorer]]",
    "register_eligibility": "() -> Iterable[type[Eligibility]]",
    "register_reward_rules": "() -> Iterable[type[RewardRule]]",
    "register_aggregators": "() -> Iterable[type[Aggregator]]",
    "register_stage_trainers": "() -> Iterable[type[StageTrainer]]",
    "register_engines": "() -> Iterable[type[Engine]]",
    "register_judges": "() -> Iterable[type[Judge]]",
    "register_datasets": "() -> Iterable[type[Dataset]]",
    "register_reporters": "() -> Iterable[type[Reporter]]",
    "register_launchers": "() -> Iterable[type[Launcher]]",
    "register_probes": "() -> Iterable[type[Probe]]",
    "register_commands": "() -> Iterable[Command]",
    "run_started": "(run: RunInfo) -> None",
    "stage_started": "(run: RunInfo, stage: StageContext) -> None",
    "record_written": "(stage: StageContext, name: str, record: Mapping[str, Json]) -> None",
    "stage_finished": "(run: RunInfo, stage: StageContext, result: StageResult) -> None",
    "run_finished": "(run: RunInfo) -> None",
}
"""Plugins that we cannot see rely on these: a change here is a change of the interface, and needs a decision page."""


class Other(PathScorer):
    """Another scorer."""

    use: Literal["other"] = "other"


OBSERVE = [name for name in FROZEN if not name.startswith("register_")]


# Registration: what is returned is what works -----------------------------------------------------------------------------


def test_hook_register_path_scorers(world: Any) -> None:
    world.run().execute()
    found = sorted((row["parts"]["problem"], row["value"]) for row in world.records("1-keep-scores"))
    given, swapped = len("aa or b: first"), len("b or aa: second")
    assert found == [(size, size - 2.0 + length) for size in (2.0, 3.0, 4.0) for length in (given, swapped)]


def test_hook_register_eligibility(world: Any) -> None:
    world.run(stages=[{"use": "keep", "scorer": "size", "eligible": "swapped"}]).execute()
    texts = {row["id"]: row["order"] for size in (2, 3, 4) for row in world.records(f"1-keep-paths-w{size}")}
    assert len(texts) == 6, "all of them are recorded"
    assert [texts[row["id"]] for row in world.records("1-keep-scores")] == ["swapped"] * 3, "and those that it lets through are scored"


def test_hook_register_reward_rules(world: Any) -> None:
    base, stage = world.run().execute()
    for result in (base, stage):
        assert result["evaluation"]["far"]["quarter"] == 0.25, "the mean over the paths it applies to, and over no others"


def test_hook_register_aggregators(world: Any) -> None:
    run = world.run()
    aggregator = world.plugins.pick(Aggregator, "last")()
    with run.config.engine.open(run.base) as session:
        for answers, order in ((("aaa", "bb", "c"), (2, 1, 0)), (("a", "bb", "ccc"), (0, 1, 2))):
            [tournament] = play([Problem("p", "size", answers)], aggregator, run.judge, session)
            assert tournament.ranking.order == order
            assert [one.match for one in tournament.played] == [Match(0, 2)]


def test_hook_register_stage_trainers(world: Any) -> None:
    _, result = world.run().execute()
    assert (result["use"], result["metrics"]) == ("keep", {"kept": 6})
    assert (world.folder / "out" / "stages" / "1-keep" / "model" / "judge.json").exists()


def test_hook_register_engines(world: Any) -> None:
    world.run().execute()
    texts = [row["completion"]["text"] for row in world.records("1-keep-paths-w2")]
    assert sorted(texts) == ["aa or b: first", "b or aa: second"]


def test_hook_register_judges(world: Any) -> None:
    _, result = world.run().execute()
    saved = json.loads((world.folder / "out" / "stages" / "1-keep" / "model" / "judge.json").read_text())
    assert (saved["use"], saved["order"]) == ("slash", "both")
    assert result["evaluation"]["far"]["outcomes"]["first"] == 1.0, "read by its parser, and turned back where it was asked swapped"
    assert {row["order"] for row in world.records("0-base-evaluation-far")} == {"given", "swapped"}


def test_hook_register_datasets(world: Any) -> None:
    run = world.run()
    train, tests = run.load_problems()
    assert [problem.id for problem in train] == ["w2", "w3", "w4"]
    assert [problem.id for problem in tests["far"]] == ["w50", "w51", "w52"]
    assert run.execute()[1]["evaluation"]["far"]["n"] == 3


def test_hook_register_reporters(world: Any) -> None:
    run = world.run(reporters=["witness"])
    run.execute()
    assert run.heard == [[("stage_started", "0-base"), ("stage_started", "1-keep"), ("close", None)]]
    other = world.run(reporters=["witness"], out="other")
    other.execute()
    assert other.heard == run.heard, "each object hears of its own run only"


def test_hook_register_launchers(world: Any) -> None:
    run = world.run(launch={"use": "here", "processes": 2})
    world.parts["register_launchers"].runs.append(run)
    base, stage = run.execute()
    assert stage["metrics"] == {"kept": 6, "launched": True}
    assert base["evaluation"]["far"]["n"] == 3
    assert len(world.records("1-keep-scores")) == 6


def test_hook_register_probes(world: Any) -> None:
    [entry] = world.plugins.of_kind(Probe).values()
    assert entry.cls().report([], [], []) == {"judgements": 0}
    assert entry.cls().requests([], world.run().judge, 0) == []


def test_hook_register_commands(world: Any) -> None:
    def greet(name: str) -> None:
        """Greet somebody."""
        print(f"hello, {name}")

    def register_commands() -> list[Command]:
        return [Command("greet", greet, "Example: adjudge greet you")]

    world.observe("commands", register_commands)
    app = app_of(world.plugins)
    assert CliRunner().invoke(app, ["greet", "you"]).output == "hello, you\n"
    shown = CliRunner().invoke(app, ["greet", "--help"]).output
    assert "Greet somebody." in shown
    assert "Example: adjudge greet you" in shown


@pytest.mark.parametrize("name", ["run", "greet"])
def test_a_command_whose_name_is_taken_sets_its_plugin_aside(world: Any, name: str) -> None:
    def register_commands() -> list[Command]:
        return [Command(name, print)]

    if name == "greet":
        world.observe("first", register_commands)
    with pytest.raises(PluginError, match=f"the command '{name}' is adjudge's own|two commands are called '{name}'"):
        world.observe("second", register_commands)
    assert [source.plugin for source in world.plugins.sources] == ["parts", *(["first"] if name == "greet" else [])]


# Through pluggy: what it promises holds ------------------------------------------------------------------------------------


def test_specname_gives_a_registration_function_another_name(world: Any) -> None:
    module = ModuleType("another")
    module.measured = hookimpl(specname="register_path_scorers")(lambda: [Other])  # type: ignore[attr-defined]
    world.plugins.add(module, Source("another", "adjudge-another", "1"))
    assert world.plugins.pick(PathScorer, "other") is Other


def test_a_function_without_the_mark_is_no_hook_and_is_told(world: Any) -> None:
    module = ModuleType("unmarked")
    module.register_path_scorers = lambda: [Other]  # type: ignore[attr-defined]
    with pytest.raises(PluginError, match="register_path_scorers is no function marked @hookimpl"):
        world.plugins.add(module, Source("unmarked", "adjudge-unmarked", "1"))
    assert "other" not in world.plugins.of_kind(PathScorer)


def test_a_wrapper_of_a_registration_hook_sees_what_later_plugins_register(world: Any) -> None:
    seen: list[Any] = []

    @hookimpl(wrapper=True)
    def register_path_scorers() -> Any:
        found = yield
        seen.extend(cls for classes in found for cls in classes)
        return found

    module = ModuleType("wrapping")
    module.register_path_scorers = register_path_scorers  # type: ignore[attr-defined]
    world.plugins.add(module, Source("wrapping", "adjudge-wrapping", "1"))
    world.observe("another", lambda_named("register_path_scorers", lambda: [Other]))
    assert Other in seen


def wrapping(function: Any) -> ModuleType:
    module = ModuleType("wrapping")
    module.register_reward_rules = hookimpl(wrapper=True)(function)  # type: ignore[attr-defined]
    return module


def test_a_wrapper_that_registers_something_registers_it_once(world: Any) -> None:
    class Half(type(world).parts["register_reward_rules"]):
        """Half of it."""

        use: Literal["half"] = "half"

    def function() -> Any:
        return [*(yield), [Half]]

    world.plugins.add(wrapping(function), Source("wrapping", "adjudge-wrapping", "1"))

    class Third(Half):
        """A third of it."""

        use: Literal["third"] = "third"  # type: ignore[assignment]

    world.observe("another", lambda_named("register_reward_rules", lambda: [Third]))
    rules = world.plugins.of_kind(RewardRule)
    assert (rules["half"].source.plugin, rules["third"].source.plugin) == ("wrapping", "another")


def test_a_wrapper_that_raises_is_set_aside_and_takes_no_built_in_with_it() -> None:
    def function() -> Any:
        yield
        raise RuntimeError("no")

    plugins = Plugins.load(autoload=False)
    with pytest.raises(PluginError, match=r"^wrapping \(adjudge-wrapping 1\) raised in register_reward_rules"):
        plugins.add(wrapping(function), Source("wrapping", "adjudge-wrapping", "1"))
    assert {"sound", "verdict"} <= plugins.of_kind(RewardRule).keys()


def test_an_unmarked_observe_hook_of_a_watcher_is_told(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unmarked:
        def record_written(self, stage: Any, name: str, record: Any) -> None: ...

    run = world.run(reporters=["witness"])
    monkeypatch.setattr(type(run.config.reporters[0]), "start", lambda self, run: Unmarked())
    with pytest.raises(PluginError, match=r"reporter 'witness': record_written is no function marked @hookimpl"):
        run.execute()


def lambda_named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = name
    return function


def test_observers_are_told_in_pluggys_order_and_wrappers_run_around_them(world: Any) -> None:
    told: list[str] = []
    for name in ("first", "second"):
        world.observe(name, lambda_named("run_finished", lambda name=name: told.append(name)))

    @hookimpl(wrapper=True)
    def run_finished() -> Any:
        told.append("before")
        result = yield
        told.append("after")
        return result

    module = ModuleType("around")
    module.run_finished = run_finished  # type: ignore[attr-defined]
    world.plugins.add(module, Source("around", "adjudge-around", "1"))
    late = ModuleType("late")
    late.run_finished = hookimpl(trylast=True)(lambda: told.append("last"))  # type: ignore[attr-defined]
    world.plugins.add(late, Source("late", "adjudge-late", "1"))
    world.run().execute()
    assert told == ["before", "second", "first", "last", "after"], "pluggy calls what was registered last first"


def test_a_misspelt_observe_hook_of_a_watcher_is_told_before_anything_is_done(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Misspelt:
        @hookimpl
        def stage_started_(self) -> None: ...

    run = world.run(reporters=["witness"])
    monkeypatch.setattr(type(run.config.reporters[0]), "start", lambda self, run: Misspelt())
    with pytest.raises(PluginError, match=r"reporter 'witness': .*stage_started_"):
        run.execute()
    assert not (run.folder / "stages").exists()


def test_a_reporter_that_cannot_start_is_named_and_the_others_are_closed(world: Any) -> None:
    run = world.run(reporters=["witness", {"use": "witness", "fails": True}])
    with pytest.raises(PluginError, match=r"'witness' \(.*Witness\) raised in start\(\): OSError: no terminal"):
        run.execute()
    assert run.heard == [[("close", None)]]


def test_a_reporter_that_stands_there_twice_is_a_mistake_of_the_run_file(world: Any) -> None:
    with pytest.raises(ConfigError, match="reporters: 'witness' stands there twice"):
        world.run(reporters=["witness", "witness"])


def test_registration_hooks_are_asked_once_and_not_by_a_run(world: Any) -> None:
    assert world.asked == dict.fromkeys(world.parts, 1)
    world.run().execute()
    assert world.asked == dict.fromkeys(world.parts, 1)


@pytest.mark.parametrize("name", REGISTRATION)
def test_what_no_hook_registers_cannot_be_picked(world: Any, name: str) -> None:
    plugins = Plugins()
    plugins.add(world.plugin(Counter(), without=name), Source("parts", "adjudge-parts", "1"))
    kind = REGISTRATION[name]
    assert plugins.of_kind(kind) == {}
    assert len(plugins.entries) == len(world.parts) - 1
    with pytest.raises(Exception, match=f"no {kind.kind} is called 'x'"):
        plugins.pick(kind, "x")


# Observation: told at the right time, with the right things ---------------------------------------------------------------


def test_hook_run_started(world: Any) -> None:
    told: list[Any] = []

    def run_started(run: Run) -> None:
        told.append((run, (run.folder / "config.yaml").exists(), (run.folder / "manifest.json").exists(), list(run.results)))

    world.observe("watcher", run_started)
    run = world.run()
    run.execute()
    assert told == [(run, True, True, [])]


def test_hook_stage_started(world: Any) -> None:
    told: list[Any] = []

    def stage_started(run: Run, stage: Stage) -> None:
        told.append((run, stage.name, stage.model, [problem.id for problem in stage.problems], stage.folder.exists()))

    world.observe("watcher", stage_started)
    run = world.run()
    run.execute()
    ids = ["w2", "w3", "w4"]
    assert told == [(run, "0-base", world.folder / "base", ids, False), (run, "1-keep", world.folder / "base", ids, False)]
    world.run().execute()
    assert len(told) == 2, "a stage that is complete does not start again"


def test_hook_record_written(world: Any) -> None:
    told: list[tuple[str, str, Mapping[str, Any]]] = []
    totals: dict[str, int] = {}

    def record_written(stage: Stage, name: str, record: Mapping[str, Any]) -> None:
        told.append((stage.name, name, record))
        totals.update({f"{stage.name}-{name}": size for name, size in stage.totals.items()})

    world.observe("watcher", record_written)
    world.run().execute()
    by_file: dict[str, list[Any]] = {}
    for stage, name, record in told:
        by_file.setdefault(f"{stage}-{name}", []).append(json.loads(json.dumps(record)))
    files = {file.stem for file in (world.folder / "out" / "records").glob("*.jsonl")}
    assert (
        set(by_file)
        == files
        == {"0-base-evaluation-far", "1-keep-evaluation-far", "1-keep-scores", *(f"1-keep-paths-w{n}" for n in (2, 3, 4))}
    )
    assert all(world.records(file) == records for file, records in by_file.items()), "every record once, in order, as it was written"
    assert totals["0-base-evaluation-far"] == len(by_file["0-base-evaluation-far"]) == 6


def test_hook_stage_finished(world: Any) -> None:
    told: list[Any] = []

    def stage_finished(run: Run, stage: Stage, result: StageResult) -> None:
        assert result.model.is_dir()
        assert not (stage.folder / "result.json").exists()
        told.append((run, stage.name, result.model, result.metrics))

    world.observe("watcher", stage_finished)
    run = world.run()
    base, stage = run.execute()
    assert [(one, name) for one, name, _, _ in told] == [(run, "0-base"), (run, "1-keep")]
    assert [model for _, _, model, _ in told] == [world.folder / "base", world.folder / "out" / "stages" / "1-keep" / "model"]
    told_far = [json.loads(json.dumps(metrics["evaluation"])) for _, _, _, metrics in told]
    assert told_far == [base["evaluation"], stage["evaluation"]]
    assert told[1][3]["kept"] == 6


def test_hook_run_finished(world: Any) -> None:
    told: list[Any] = []

    def run_finished(run: Run) -> None:
        told.append((run, [result["name"] for result in run.results], (run.folder / "done.json").exists()))

    world.observe("watcher", run_finished)
    run = world.run()
    run.execute()
    assert told == [(run, ["0-base", "1-keep"], False)]
    assert (run.folder / "done.json").exists()


def raising(name: str) -> Callable[..., None]:
    """An observer of this hook that takes no arguments and raises."""

    def function() -> None:
        raise RuntimeError(f"no wish to hear of {name}")

    function.__name__ = name
    return function


@pytest.mark.parametrize("name", OBSERVE)
def test_an_observer_that_raises_is_reported_and_stops_neither_the_run_nor_the_other_observers(
    world: Any, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[str] = []

    def calm() -> None:
        heard.append(name)

    calm.__name__ = name
    world.observe("before", calm)
    world.observe("broken", raising(name))
    world.observe("after", calm)
    results = world.run().execute()
    assert [result["name"] for result in results] == ["0-base", "1-keep"]
    assert (world.folder / "out" / "done.json").exists()
    warnings = capsys.readouterr().err.splitlines()
    assert set(warnings) == {f"warning: adjudge-broken:broken raised in {name}: RuntimeError: no wish to hear of {name}"}
    assert len(heard) == 2 * len(warnings)


def test_what_an_observer_returns_is_ignored(world: Any) -> None:
    def stage_finished(result: StageResult) -> Any:
        return StageResult(world.folder / "elsewhere", {"kept": 999})

    world.observe("meddler", stage_finished)
    assert world.run().execute()[1]["metrics"] == {"kept": 6}


# The interface as a whole -------------------------------------------------------------------------------------------------


def specifications() -> dict[str, Callable[..., Any]]:
    return {name: value for name, value in vars(hooks).items() if hasattr(value, "adjudge_spec")}


def test_signatures_are_frozen() -> None:
    assert {name: str(inspect.signature(function)).replace("'", "") for name, function in specifications().items()} == FROZEN


def test_no_hook_is_firstresult_or_historic() -> None:
    for name, function in specifications().items():
        options: Any = function
        assert not options.adjudge_spec["firstresult"], name
        assert not options.adjudge_spec["historic"], name


def test_every_registration_hook_is_tied_to_the_kind_that_it_returns() -> None:
    assert {name: f"() -> Iterable[type[{kind.__name__}]]" for name, kind in REGISTRATION.items()} == {
        name: FROZEN[name] for name in FROZEN if name.startswith("register_") and name != "register_commands"
    }


def test_every_hook_has_a_test() -> None:
    tests = {name.removeprefix("test_hook_") for name in vars(sys.modules[__name__]) if name.startswith("test_hook_")}
    assert tests == set(specifications()) == set(FROZEN)

"""Plugins are found by entry point, checked, blocked and set aside; one that is broken is told about and never ends the host."""

from __future__ import annotations

import importlib
import pkgutil
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pluggy
import pytest
from pydantic import BaseModel

import adjudge
from adjudge import Aggregator, ConfigError, PathScorer, PluginError, Plugins, validate
from adjudge.host.plugins import BUILTIN, Source

REPOSITORY = Path(__file__).parents[2]

GOOD = '''
from typing import Literal
from adjudge import Aggregator, Ranking, hookimpl

class Listed(Aggregator):
    """Ranks as listed."""
    use: Literal["{use}"] = "{use}"

    def tournament(self, size, seed):
        yield from ()
        return Ranking(tuple(range(size)), (0.0,) * size)

@hookimpl
def register_aggregators():
    return [Listed]
'''

HOOK = "from adjudge import hookimpl\n@hookimpl\n"
BROKEN = {
    "import error": ("import a_module_that_nobody_has", "No module named 'a_module_that_nobody_has'"),
    "syntax error": ("def", "SyntaxError"),
    "exits on import": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "raises in its hook": (
        GOOD + "\n@hookimpl\ndef register_aggregators():\n    raise KeyError('settings')",
        "raised in register_aggregators(): KeyError",
    ),
    "exits in its hook": (GOOD + "\n@hookimpl\ndef register_aggregators():\n    raise SystemExit('bye')", "SystemExit: bye"),
    "hook is not a function": ("register_aggregators = 3", "register_aggregators is no function marked @hookimpl"),
    "returns nothing": (HOOK + "def register_aggregators(): pass", "it returned None"),
    "returns a non-class": (HOOK + "def register_aggregators(): return ['elo']", "must return classes of Aggregator, not 'elo'"),
    "returns another kind": (GOOD + "\nregister_path_scorers = register_aggregators", "must return classes of PathScorer, not"),
    "component without a name": (
        "from adjudge import Aggregator\nclass Nameless(Aggregator):\n    '''No name.'''\n"
        + HOOK
        + "def register_aggregators(): return [Nameless]",
        'Nameless needs a name: use: Literal["NAME"] = "NAME"',
    ),
    "option of an unknown type": (
        "from __future__ import annotations"
        + GOOD.replace('    use: Literal["{use}"]', '    size: Missing = 1\n    use: Literal["{use}"]'),
        "has an option of a type that cannot be resolved",
    ),
    "same name twice": (GOOD.replace("[Listed]", "[Listed, Listed]"), "two aggregators are called"),
    "forgets the mark": ("def register_aggregators(): return []", "register_aggregators is no function marked @hookimpl"),
    "unknown hook": (GOOD + "\n@hookimpl\ndef register_agregators():\n    return []", "register_agregators"),
    "unknown argument of a hook": (GOOD + "\n@hookimpl\ndef run_started(run, moon):\n    pass", "moon"),
}
"""Code of a broken plugin, and what its reason must say."""

Install = Callable[..., str]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADJUDGE_BLOCK", raising=False)
    monkeypatch.delenv("ADJUDGE_NO_AUTOLOAD", raising=False)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Writes a distribution ``adjudge-NAME`` with one plugin into a folder on sys.path, and names its module."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, code: str = GOOD, *, version: str = "1.0", metadata: str | None = None, entry_points: str | None = None) -> str:
        module = f"adjudge_fake_{name}"
        (tmp_path / f"{module}.py").write_text(code.replace("{use}", f"fake-{name}"))
        info = tmp_path / f"adjudge_{name}-{version}.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text(entry_points or f"[adjudge]\n{name} = {module}\n")
        text = f"Metadata-Version: 2.1\nName: adjudge-{name}\nVersion: {version}\n" if metadata is None else metadata
        if text:
            (info / "METADATA").write_text(text)
        importlib.invalidate_caches()
        return module

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("adjudge_fake_"):
            del sys.modules[name]


class Choice(BaseModel):
    """Somewhere that an aggregator is asked for."""

    aggregator: Aggregator


def chosen(plugins: Plugins, use: str) -> Aggregator:
    return validate(Choice, {"aggregator": use}, plugins, "choice.yaml").aggregator


def test_a_good_plugin_is_found_with_its_distribution_and_version(install: Install) -> None:
    module = install("good", version="2.5")
    plugins = Plugins.load()
    entry = plugins.of_kind(Aggregator)["fake-good"]
    assert (entry.cls.__module__, entry.doc) == (module, "Ranks as listed.")
    assert entry.source == Source("good", "adjudge-good", "2.5")
    assert str(entry.source) == "good (adjudge-good 2.5)"
    assert type(chosen(plugins, "fake-good")) is entry.cls
    assert plugins.broken == {}


def test_a_module_may_hold_anything_and_give_its_hooks_as_methods(install: Install) -> None:
    """Such as flask's `request`, which raises when anything is asked of it, and methods of an object of the plugin."""
    methods = """
class Anything:
    def __getattr__(self, name):
        raise RuntimeError("outside of a request")

request = Anything()

class Hooks:
    def __init__(self, component):
        self.component = component

    @hookimpl
    def register_aggregators(self):
        return [self.component]

register_aggregators = Hooks(Listed).register_aggregators
"""
    install("methods", GOOD.replace("@hookimpl\ndef register_aggregators():\n    return [Listed]\n", methods))
    install("static", GOOD.replace("@hookimpl\n", "@staticmethod\n@hookimpl\n"))
    plugins = Plugins.load()
    assert plugins.broken == {}
    assert {"fake-methods", "fake-static"} <= set(plugins.of_kind(Aggregator))


@pytest.mark.parametrize(("code", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_set_aside_whole_and_the_others_are_loaded(install: Install, code: str, reason: str) -> None:
    install("bad", code)
    install("good")
    install("zebra")
    plugins = Plugins.load()
    assert list(plugins.broken) == ["bad (adjudge-bad 1.0)"]
    assert reason in plugins.broken["bad (adjudge-bad 1.0)"]
    assert not plugins.broken["bad (adjudge-bad 1.0)"].startswith("bad "), "the list names it already"
    assert Plugins.load().broken == plugins.broken, "also whoever asks again in this process hears of it"
    assert {"elo", "fake-good", "fake-zebra"} <= set(plugins.of_kind(Aggregator))
    assert "fake-bad" not in plugins.of_kind(Aggregator)
    assert not any("adjudge-bad" in name for name, _ in plugins.hooks.list_name_plugin())
    assert not any("fake_bad" in str(heard.plugin) for heard in plugins.hooks.hook.run_started.get_hookimpls())


def test_ctrl_c_while_a_plugin_loads_is_not_swallowed(install: Install) -> None:
    install("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Plugins.load()


def test_an_entry_point_to_nothing_is_set_aside(install: Install) -> None:
    module = install("lost", entry_points="[adjudge]\nlost = adjudge_fake_lost:plugin\n")
    assert f"module '{module}' has no attribute 'plugin'" in Plugins.load().broken["lost (adjudge-lost 1.0)"]


def test_damaged_metadata_of_one_distribution_hides_no_other(install: Install) -> None:
    install("torn", entry_points="[adjudge]\nthis line has no equals sign\n")
    install("anonymous", metadata="")
    install("good")
    plugins = Plugins.load()
    assert "fake-good" in plugins.of_kind(Aggregator)
    assert "its metadata cannot be read" in plugins.broken["adjudge-torn 1.0"]
    assert len(plugins.broken) == 2
    assert "fake-anonymous" not in plugins.of_kind(Aggregator)


def test_a_distribution_that_stands_twice_on_the_path_is_loaded_once(install: Install) -> None:
    install("good")
    other = Path(sys.path[0]) / "older"
    shutil.copytree(Path(sys.path[0]) / "adjudge_good-1.0.dist-info", other / "adjudge_good-0.9.dist-info")
    sys.path.append(str(other))
    try:
        plugins = Plugins.load()
    finally:
        sys.path.remove(str(other))
    assert plugins.broken == {}
    assert plugins.of_kind(Aggregator)["fake-good"].source.version == "1.0"


def test_a_name_clash_with_a_builtin_names_both_and_the_builtin_keeps_its_name(install: Install) -> None:
    install("rival", GOOD.replace("{use}", "elo"), version="7.1")
    plugins = Plugins.load()
    reason = plugins.broken["rival (adjudge-rival 7.1)"]
    own = re.escape(adjudge.__version__)
    assert re.search(rf"two aggregators are called 'elo': adjudge_tournament\.elo\.Elo of adjudge_tournament \(adjudge {own}\)", reason)
    assert "adjudge_fake_rival.Listed of rival (adjudge-rival 7.1)" in reason
    assert "ADJUDGE_BLOCK=" in reason
    assert type(chosen(plugins, "elo")).__module__ == "adjudge_tournament.elo"


def test_a_name_that_two_third_parties_claim_means_neither(install: Install) -> None:
    for name in ("left", "right"):
        install(name, GOOD.replace("{use}", "contested"))
    with pytest.raises(ConfigError) as error:
        chosen(Plugins.load(), "contested")
    assert "adjudge_fake_left.Listed of left (adjudge-left 1.0)" in str(error.value)
    assert "adjudge_fake_right.Listed of right (adjudge-right 1.0)" in str(error.value)
    assert type(chosen(Plugins.load(block=["left"]), "contested")).__module__ == "adjudge_fake_right"


@pytest.mark.parametrize("name", ["fenced", "adjudge_fake_fenced", "adjudge-fenced"])
def test_a_blocked_plugin_is_not_even_imported(install: Install, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module = install("fenced")
    by_argument = Plugins.load(block=[name])
    monkeypatch.setenv("ADJUDGE_BLOCK", f"another, {name}")
    by_environment = Plugins.load()
    for plugins in (by_argument, by_environment):
        assert "fake-fenced" not in plugins.of_kind(Aggregator)
        assert name in plugins.blocked
        assert plugins.broken == {}
    assert module not in sys.modules
    with pytest.raises(ConfigError, match=f"blocked: another, {name}|blocked: {name}, another"):
        chosen(by_environment, "fake-fenced")


def test_a_builtin_can_be_blocked() -> None:
    assert "elo" not in Plugins.load(block=["adjudge_tournament"], autoload=False).of_kind(Aggregator)


def test_autoload_can_be_switched_off(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    module = install("good")
    assert "fake-good" not in Plugins.load(autoload=False).of_kind(Aggregator)
    monkeypatch.setenv("ADJUDGE_NO_AUTOLOAD", "1")
    plugins = Plugins.load()
    assert {source.plugin for source in plugins.sources} == set(BUILTIN)
    assert module not in sys.modules


def test_requires_takes_plugins_and_distributions_and_says_why_one_is_missing(install: Install) -> None:
    install("good")
    install("bad", "1 / 0")
    install("fenced")
    plugins = Plugins.load(block=["fenced"])
    plugins.require(["good", "adjudge-good", "adjudge_tournament", "adjudge"])
    for name, reason in {
        "bad": "ZeroDivisionError",
        "adjudge-bad": "ZeroDivisionError",
        "fenced": "blocked",
        "ba": "not installed",
    }.items():
        with pytest.raises(PluginError, match=rf"^requires: {name} is not loaded: .*{reason}"):
            plugins.require([name])


def test_an_unknown_name_is_answered_with_the_nearest_all_installed_and_all_broken(install: Install) -> None:
    install("bad", "import a_module_that_nobody_has")
    with pytest.raises(ConfigError) as error:
        chosen(Plugins.load(), "knokout")
    message = str(error.value)
    assert "aggregator: no aggregator is called 'knokout'; did you mean 'knockout'?" in message
    installed = re.search(r"\(installed: (.*)\)", message)
    assert installed is not None
    assert {"elo", "knockout", "round-robin", "vote"} <= set(installed[1].split(", "))
    assert "not loaded: bad (adjudge-bad 1.0): ModuleNotFoundError" in message


def test_a_name_unlike_any_other_gets_no_suggestion_and_another_kinds_name_does_not_count() -> None:
    plugins = Plugins.load(autoload=False)
    for use in ("zzzzzz", next(iter(plugins.of_kind(PathScorer)))):
        with pytest.raises(ConfigError, match="no aggregator is called") as error:
            chosen(plugins, use)
        assert "did you mean" not in str(error.value)


def test_the_builtin_tuple_is_the_folders_under_plugins() -> None:
    folders = sorted(path.parent.name for path in (REPOSITORY / "plugins").glob("*/__init__.py"))
    assert sorted(BUILTIN) == folders


def test_there_is_no_module_global_manager(install: Install) -> None:
    install("good")
    one, other = Plugins.load(), Plugins.load(autoload=False)
    assert "fake-good" in one.of_kind(Aggregator)
    assert "fake-good" not in other.of_kind(Aggregator)
    assert one.hooks is not other.hooks
    for found in pkgutil.walk_packages(adjudge.__path__, "adjudge."):
        if not found.name.endswith("__main__"):
            values = vars(importlib.import_module(found.name)).values()
            assert not any(isinstance(value, Plugins | pluggy.PluginManager) for value in values), found.name


def test_the_same_module_twice_is_refused_and_stays_loaded_once() -> None:
    plugins = Plugins()
    module = importlib.import_module("adjudge_tournament")
    plugins.add(module, Source("one", "somebody", "1"))
    with pytest.raises(PluginError, match=r"two \(somebody 1\) is loaded already"):
        plugins.add(module, Source("two", "somebody", "1"))
    assert [source.plugin for source in plugins.sources] == ["one"]
    assert plugins.hooks.is_registered(module)


@pytest.mark.parametrize("builtin", BUILTIN)
def test_a_copied_builtin_with_new_names_is_a_working_third_party_plugin(install: Install, tmp_path: Path, builtin: str) -> None:
    copy = f"adjudge_fake_{builtin}_copy"
    ignored = shutil.ignore_patterns("*.safetensors", "__pycache__")
    shutil.copytree(REPOSITORY / "plugins" / builtin, tmp_path / copy, ignore=ignored)
    for file in (tmp_path / copy).glob("*.py"):
        text = re.sub(r'use: Literal\["([^"]+)"\] = "\1"', r'use: Literal["my-\1"] = "my-\1"', file.read_text())
        file.write_text(re.sub(r'\bCommand\("([\w-]+)"', r'Command("my-\1"', text))
    install("copy", "", entry_points=f"[adjudge]\ncopy = {copy}\n")
    plugins = Plugins.load()
    assert plugins.broken == {}
    of = {name: {key for key, entry in plugins.entries.items() if entry.source.plugin == name} for name in (builtin, "copy")}
    assert of["copy"] == {(kind, f"my-{use}") for kind, use in of[builtin]}

"""Finds, loads, blocks and checks plugins, and answers which component a name means.

The loop over entry points is our own: pluggy's skips duplicates without a word and lets one import error end the host. Here a
plugin that cannot be loaded is set aside in `Plugins.broken`, quoted whenever a name is unknown, and listed by
``adjudge plugins``. Two components of one kind and name are an error that names both: a built-in keeps its name, and a name that
two third parties claim means neither, so that no result depends on which was installed last.

Built-ins are imported at once and asked for their components kind by kind, when a kind is first needed: ``adjudge --help`` needs none.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pluggy

from adjudge.api import hooks
from adjudge.errors import PluginError
from adjudge.version import __version__

if TYPE_CHECKING:
    from adjudge.api.options import Component
    from adjudge.api.values import Command

GROUP = "adjudge"
BUILTIN = (
    "adjudge_plan", "adjudge_judge_commands", "adjudge_figures", "adjudge_doctor", "adjudge_health", "adjudge_benchmarks", "adjudge_report",
    "adjudge_view", "adjudge_rewards", "adjudge_serve", "adjudge_export", "adjudge_scaffold", "adjudge_arithmetic", "adjudge_cache",
    "adjudge_data", "adjudge_eligibility", "adjudge_engines", "adjudge_grpo", "adjudge_judges", "adjudge_launch", "adjudge_policy",
    "adjudge_rstar", "adjudge_scorers", "adjudge_sft", "adjudge_tournament", "adjudge_soft", "adjudge_trl", "adjudge_worlds",
)  # fmt: skip
"""In the order in which their commands are listed."""
COMMANDS = "register_commands"
OWN_COMMANDS = ("run", "plugins")
"""Commands that are no plugin's."""
OFF = ("", "0", "false", "no", "off")
"""Values of ``ADJUDGE_NO_AUTOLOAD`` that leave third parties on."""


class _Manager(pluggy.PluginManager):
    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        """What pluggy says, which takes its time over every name; in a module, what is no marked function is told at a glance."""
        held = vars(plugin).get(name) if inspect.ismodule(plugin) else self.register  # of an object, whatever it is, pluggy says
        unmarked = inspect.isfunction(held) and not hasattr(held, f"{GROUP}_impl")
        return super().parse_hookimpl_opts(plugin, name) if inspect.isroutine(held) and not unmarked else None


@dataclass(frozen=True, slots=True)
class Source:
    """The distribution that a plugin came from."""

    plugin: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.plugin} ({self.distribution} {self.version})"


@dataclass(frozen=True, slots=True)
class Entry:
    """One installed component, or one command."""

    cls: Any
    source: Source

    @property
    def doc(self) -> str:
        return (self.cls.__doc__ or "").strip().split("\n")[0]


@dataclass
class Plugins:
    """The plugins of one host. `load()` makes the usual set; tests make their own."""

    broken: dict[str, str] = field(default_factory=dict)
    """Why a plugin was set aside, by ``plugin (distribution version)``."""
    blocked: tuple[str, ...] = ()
    sources: list[Source] = field(default_factory=list)
    clashes: dict[tuple[str, str], str] = field(default_factory=dict)
    """What to say about a kind and name that several third parties claim."""

    def __post_init__(self) -> None:
        self.hooks = _Manager(GROUP)
        self.hooks.add_hookspecs(hooks)
        self._entries: dict[tuple[str, str], Entry] = {}
        self._waiting: list[tuple[object, Source, set[str]]] = []
        """Built-ins, with the registration hooks that they have not been asked by yet."""

    @classmethod
    def load(cls, block: Iterable[str] = (), autoload: bool = True) -> Plugins:
        """Built-ins and, unless switched off, third parties; `ADJUDGE_BLOCK` and `ADJUDGE_NO_AUTOLOAD` are followed."""
        names = {name.strip() for name in (*block, *os.environ.get("ADJUDGE_BLOCK", "").split(","))} - {""}
        plugins = cls(blocked=tuple(sorted(names)))
        for name in [name for name in BUILTIN if name not in names]:
            module, source = importlib.import_module(name), Source(name, "adjudge", __version__)
            plugins._register(module, source)
            plugins._waiting.append((module, source, {one.name for one in plugins.hooks.get_hookcallers(module) or ()}))
            plugins.sources.append(source)
        if autoload and os.environ.get("ADJUDGE_NO_AUTOLOAD", "").strip().lower() in OFF:
            plugins._load_third_parties()
        return plugins

    def _load_third_parties(self) -> None:
        """Whatever goes wrong with a plugin, it is set aside with the reason, and the others are loaded."""
        for point, source in self._discover():
            try:
                if {point.name, point.value, source.distribution}.isdisjoint(self.blocked):
                    self.add(point.load(), source)
            except PluginError as error:
                self.broken[str(source)] = str(error).removeprefix(str(source)).lstrip(": ")
            except (Exception, SystemExit) as error:  # a plugin's sys.exit() must not end the host
                self.broken[str(source)] = f"{type(error).__name__}: {error}"

    def _discover(self) -> list[tuple[metadata.EntryPoint, Source]]:
        """Our entry points by name. Distributions are read one by one, because damaged metadata of one would hide all others."""
        found: dict[tuple[str, str], tuple[metadata.EntryPoint, Source]] = {}
        for distribution in metadata.distributions():
            try:
                if f"[{GROUP}]" not in (distribution.read_text("entry_points.txt") or ""):
                    continue
                for point in distribution.entry_points.select(group=GROUP):
                    if not distribution.name:
                        raise ValueError("its METADATA has no name")
                    source = Source(point.name, distribution.name, distribution.version)
                    found.setdefault((point.name, distribution.name), (point, source))  # the first on sys.path is what Python imports
            except Exception as error:
                self.broken[_label(distribution)] = f"its metadata cannot be read: {type(error).__name__}: {error}"
        return [found[key] for key in sorted(found)]

    def add(self, module: object, source: Source) -> None:
        """Register one plugin and its components, all or nothing."""
        self._register(module, source)
        found: dict[tuple[str, str], Entry] = {}
        try:
            if forgotten := self.unmarked(module):
                raise PluginError(f"{source}: {forgotten} is no function marked @hookimpl.\n  Remedy: mark it, or give it another name.")
            for hook in (*registration_hooks(), COMMANDS):
                if any(one.plugin is module for one in getattr(self.hooks.hook, hook).get_hookimpls()):
                    self._ask_built_ins(hook)
                    self._collect(module, source, hook, found)
        except BaseException:
            self.hooks.unregister(module)
            raise
        self._entries.update(found)
        self.sources.append(source)

    def unmarked(self, plugin: object) -> str | None:
        """A function of a registered plugin that is called like a hook and does not implement it."""
        used = {caller.name for caller in self.hooks.get_hookcallers(plugin) or ()}
        named = [name for name, spec in vars(hooks).items() if hasattr(spec, "adjudge_spec") and hasattr(plugin, name)]
        return next((name for name in named if name not in used), None)

    def _register(self, module: object, source: Source) -> None:
        name = f"{source.distribution}:{source.plugin}"
        if self.hooks.has_plugin(name) or self.hooks.is_registered(module):
            raise PluginError(f"{source} is loaded already.\n  Remedy: give each plugin one entry point.")
        try:
            hash(module)  # pluggy keeps plugins in sets
            self.hooks.register(module, name=name)
            self.hooks.check_pending()
        except Exception as error:
            self.hooks.unregister(name=name)
            raise PluginError(f"{source}: {error}") from error

    def _asked(self, module: object, source: Source, hook: str) -> list[Any]:
        """What one plugin returns from a registration hook, through pluggy: its own functions and, for a third party's, all wrappers."""
        implementations = getattr(self.hooks.hook, hook).get_hookimpls()
        plain = [one.plugin for one in implementations if not (one.wrapper or one.hookwrapper)]
        others = plain if source.distribution != "adjudge" else [one.plugin for one in implementations]
        try:
            answers = self.hooks.subset_hook_caller(hook, [plugin for plugin in others if plugin is not module])()
            if len(answers) < plain.count(module) and len(plain) == len(implementations):
                raise TypeError("it returned None")  # which pluggy leaves out
            return [one for answer in answers for one in answer]
        except Exception as error:
            raise PluginError(f"{source} raised in {hook}(): {type(error).__name__}: {error}") from error

    def _collect(self, module: object, source: Source, hook: str, found: dict[tuple[str, str], Entry]) -> None:
        wrapped = any(one.wrapper or one.hookwrapper for one in getattr(self.hooks.hook, hook).get_hookimpls())
        for value in self._asked(module, source, hook):
            key = _checked_command(value, source) if hook == COMMANDS else _checked_component(value, registration_hooks()[hook], source)
            other = found.get(key) or self._entries.get(key)
            if other and other.cls is value and other.source != source and wrapped:
                continue  # a wrapper, which has registered it already, adds it to what every plugin returns
            if other:
                raise self._clash(key, other, Entry(value, source))
            found[key] = Entry(value, source)

    def _ask_built_ins(self, hook: str) -> None:
        for module, source, waiting in self._waiting:
            if hook in waiting:
                found: dict[tuple[str, str], Entry] = {}
                self._collect(module, source, hook, found)
                self._entries.update(found)
                waiting.discard(hook)

    def _clash(self, key: tuple[str, str], one: Entry, other: Entry) -> PluginError:
        both = f"{_where(one.cls)} of {one.source} and {_where(other.cls)} of {other.source}"
        message = f"two {key[0]}s are called {key[1]!r}: {both}.\n  Remedy: block one of the two plugins with ADJUDGE_BLOCK=NAME."
        if one.source.distribution != "adjudge" and one.source != other.source:
            self.clashes[key] = message
        return PluginError(message)

    @property
    def entries(self) -> dict[tuple[str, str], Entry]:
        """All installed components by kind and name."""
        for hook in registration_hooks():
            self._ask_built_ins(hook)
        return {key: entry for key, entry in self._entries.items() if key[0] != "command"}

    def of_kind(self, kind: type[Component]) -> dict[str, Entry]:
        """Installed components of a kind, by name."""
        self._ask_built_ins(kind.hook)
        return {name: entry for (of, name), entry in sorted(self._entries.items()) if of == kind.kind}

    def commands(self) -> list[Command]:
        """The commands of all plugins, in the order in which these were loaded."""
        self._ask_built_ins(COMMANDS)
        return [entry.cls for (kind, _), entry in self._entries.items() if kind == "command"]

    def pick(self, kind: type[Component], use: str) -> type[Any]:
        """The component class a name means; used by validation, so an unknown name is a validation error with its place."""
        from pydantic_core import PydanticCustomError

        from adjudge.api.options import did_you_mean

        if clash := self.clashes.get((kind.kind, use)):
            raise PydanticCustomError("ambiguous_component", "{message}", {"message": clash})
        installed = self.of_kind(kind)
        if use in installed:
            chosen: type[Any] = installed[use].cls
            return chosen
        parts = [f"no {kind.kind} is called {use!r}{did_you_mean(use, installed)}   (installed: {', '.join(installed) or 'none'})"]
        parts += [f"\n    not loaded: {source}: {reason}" for source, reason in self.broken.items()]
        parts += [f"\n    blocked: {', '.join(self.blocked)}"] if self.blocked else []
        raise PydanticCustomError("unknown_component", "{message}", {"message": "".join(parts)})

    def require(self, names: Sequence[str]) -> None:
        """Fail unless every named plugin or distribution is loaded."""
        have = {name for source in self.sources for name in (source.plugin, source.distribution)}
        for name in [name for name in names if name not in have]:
            reasons = {word: why for source, why in self.broken.items() for word in re.split(r"[ ()]+", source)}
            reason = {**reasons, **dict.fromkeys(self.blocked, "it is blocked")}.get(name, "it is not installed")
            raise PluginError(f"requires: {name} is not loaded: {reason}\n  Remedy: install it, or drop it from 'requires'.")


def registration_hooks() -> dict[str, type[Component]]:
    """Every hook that registers components, with their kind."""
    from adjudge.api.stages import KINDS

    return {kind.hook: kind for kind in KINDS}


def _where(value: Any) -> str:
    named = getattr(value, "function", value)
    return f"{named.__module__}.{named.__qualname__}"


def _label(distribution: metadata.Distribution) -> str:
    with suppress(Exception):
        if distribution.name:
            return f"{distribution.name} {distribution.version}"
    return f"a distribution without a name in {distribution.locate_file('')}"


def _checked_command(value: Any, source: Source) -> tuple[str, str]:
    """Under which key a command is kept; raises `PluginError` for what is none."""
    from adjudge.api.values import Command

    if not (isinstance(value, Command) and callable(value.function)):
        raise PluginError(f"{source}: {COMMANDS}() must return values of Command, not {value!r}")
    if value.name in OWN_COMMANDS:
        raise PluginError(f"{source}: the command {value.name!r} is adjudge's own.\n  Remedy: give it another name.")
    return "command", value.name


def _checked_component(cls: Any, kind: type[Component], source: Source) -> tuple[str, str]:
    """Under which key a component is kept; raises `PluginError` for what is none."""
    if not (isinstance(cls, type) and issubclass(cls, kind)):
        raise PluginError(f"{source}: {kind.hook}() must return classes of {kind.__name__}, not {cls!r}")
    if cls.is_kind() or not isinstance(cls.model_fields["use"].default, str):
        raise PluginError(f'{source}: {_where(cls)} needs a name: use: Literal["NAME"] = "NAME"')
    try:
        if source.distribution != "adjudge":  # the suite builds every built-in; here that would cost each start its time
            cls.model_rebuild()
    except Exception as error:
        raise PluginError(f"{source}: {_where(cls)} has an option of a type that cannot be resolved: {error}") from error
    return kind.kind, cls.name()

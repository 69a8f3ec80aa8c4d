"""Finds, loads, blocks and checks plugins, and answers which component a name means.

The loop over entry points is our own: pluggy's skips duplicates without a word and lets one import error end the host. Here a
plugin that cannot be loaded is set aside in `Plugins.broken`, quoted whenever a name is unknown, and listed by
``adjudge plugins``. Two components of one kind and name are an error that names both: a built-in keeps its name, and a name that
two third parties claim means neither, so that no result depends on which was installed last.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import pluggy
from pydantic_core import PydanticCustomError

from . import hookspecs
from .components import KINDS, Component
from .errors import PluginError

GROUP = "adjudge"
BUILTIN = (
    "adjudge_arithmetic",
    "adjudge_benchmarks",
    "adjudge_data",
    "adjudge_engines",
    "adjudge_grpo",
    "adjudge_judges",
    "adjudge_report",
    "adjudge_rstar",
    "adjudge_sft",
    "adjudge_tournament",
    "adjudge_trl",
)

REGISTRATION: dict[str, type[Component]] = {
    "register_path_scorers": KINDS[0],
    "register_reward_rules": KINDS[1],
    "register_aggregators": KINDS[2],
    "register_stage_trainers": KINDS[3],
    "register_engines": KINDS[4],
    "register_judges": KINDS[5],
    "register_datasets": KINDS[6],
    "register_reporters": KINDS[7],
}


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
    """One installed component."""

    cls: type[Component]
    source: Source

    @property
    def doc(self) -> str:
        return (self.cls.__doc__ or "").strip().split("\n")[0]


@dataclass
class Plugins:
    """The plugins of one host. `load()` makes the usual set; tests make their own."""

    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    """By kind and name."""
    broken: dict[str, str] = field(default_factory=dict)
    """Why a plugin was set aside, by ``plugin (distribution version)``."""
    blocked: tuple[str, ...] = ()
    sources: list[Source] = field(default_factory=list)
    clashes: dict[tuple[str, str], str] = field(default_factory=dict)
    """What to say about a kind and name that several third parties claim."""

    def __post_init__(self) -> None:
        self.hooks = pluggy.PluginManager(GROUP)
        self.hooks.add_hookspecs(hookspecs)

    @classmethod
    def load(cls, block: Iterable[str] = (), autoload: bool = True) -> Plugins:
        """Built-ins and, unless switched off, third parties; `ADJUDGE_BLOCK` and `ADJUDGE_NO_AUTOLOAD` are heeded."""
        names = {name.strip() for name in (*block, *os.environ.get("ADJUDGE_BLOCK", "").split(","))} - {""}
        plugins = cls(blocked=tuple(sorted(names)))
        own = metadata.version("adjudge")
        for name in BUILTIN:
            if name not in names:
                plugins.add(importlib.import_module(name), Source(name, "adjudge", own))
        if autoload and not os.environ.get("ADJUDGE_NO_AUTOLOAD"):
            plugins._load_third_parties()
        return plugins

    def _load_third_parties(self) -> None:
        """Whatever goes wrong with a plugin, it is set aside with the reason, and the others are loaded."""
        for point, source in self._discover():
            if not {point.name, point.value, source.distribution}.isdisjoint(self.blocked):
                continue
            try:
                self.add(point.load(), source)
            except KeyboardInterrupt:
                raise
            except PluginError as error:
                self.broken[str(source)] = str(error).removeprefix(str(source)).lstrip(": ")
            except BaseException as error:  # SystemExit too: a plugin's sys.exit() must not end the host
                self.broken[str(source)] = f"{type(error).__name__}: {error}"

    def _discover(self) -> list[tuple[metadata.EntryPoint, Source]]:
        """Our entry points by name. Distributions are read one by one, because damaged metadata of one would hide all others."""
        found: dict[tuple[str, str], tuple[metadata.EntryPoint, Source]] = {}
        for distribution in metadata.distributions():
            try:
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
        name = f"{source.distribution}:{source.plugin}"
        if self.hooks.has_plugin(name) or self.hooks.is_registered(module):
            raise PluginError(f"{source} is loaded already.\n  Remedy: give each plugin one entry point.")
        found = self._components(module, source)
        try:
            self.hooks.register(module, name=name)
            self.hooks.check_pending()
        except Exception as error:
            self.hooks.unregister(name=name)
            raise PluginError(f"{source}: {error}") from error
        self.entries.update(found)
        self.sources.append(source)

    def _components(self, module: object, source: Source) -> dict[tuple[str, str], Entry]:
        found: dict[tuple[str, str], Entry] = {}
        for hook, kind in REGISTRATION.items():
            function = getattr(module, hook, None)
            if function is None:
                continue
            try:
                classes: Any = list(function())
            except Exception as error:
                raise PluginError(f"{source} raised in {hook}(): {type(error).__name__}: {error}") from error
            for cls in classes:
                _check_component(cls, kind, hook, source)
                key = (kind.kind, cls.name())
                if other := found.get(key) or self.entries.get(key):
                    raise self._clash(key, other, Entry(cls, source))
                found[key] = Entry(cls, source)
        return found

    def _clash(self, key: tuple[str, str], one: Entry, other: Entry) -> PluginError:
        message = (
            f"two {key[0]}s are called {key[1]!r}: {_where(one.cls)} of {one.source} and {_where(other.cls)} of {other.source}."
            "\n  Remedy: block one of the two plugins with ADJUDGE_BLOCK=NAME."
        )
        if one.source.distribution != "adjudge" and one.source != other.source:
            self.clashes[key] = message
        return PluginError(message)

    def of_kind(self, kind: type[Component]) -> dict[str, Entry]:
        """Installed components of a kind, by name."""
        return {name: entry for (of, name), entry in sorted(self.entries.items()) if of == kind.kind}

    def pick(self, kind: type[Component], use: str) -> type[Any]:
        """The component class a name means; used by validation, so an unknown name is a validation error with its place."""
        if clash := self.clashes.get((kind.kind, use)):
            raise PydanticCustomError("ambiguous_component", "{message}", {"message": clash})
        entry = self.entries.get((kind.kind, use))
        if entry is not None:
            return entry.cls
        names = list(self.of_kind(kind))
        near = difflib.get_close_matches(use, names, n=1)
        parts = [f"no {kind.kind} is called {use!r}"]
        if near:
            parts.append(f"; did you mean {near[0]!r}?")
        parts.append(f"   (installed: {', '.join(names) or 'none'})")
        for source, reason in self.broken.items():
            parts.append(f"\n    not loaded: {source}: {reason}")
        if self.blocked:
            parts.append(f"\n    blocked: {', '.join(self.blocked)}")
        raise PydanticCustomError("unknown_component", "{message}", {"message": "".join(parts)})

    def require(self, names: Sequence[str]) -> None:
        """Fail unless every named plugin or distribution is loaded."""
        have = {name for source in self.sources for name in (source.plugin, source.distribution)}
        for name in names:
            if name not in have:
                reasons = {word: why for source, why in self.broken.items() for word in re.split(r"[ ()]+", source)}
                reasons.update(dict.fromkeys(self.blocked, "it is blocked"))
                reason = reasons.get(name, "it is not installed")
                raise PluginError(f"requires: {name} is not loaded: {reason}\n  Remedy: install it, or drop it from 'requires'.")


def _where(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _label(distribution: metadata.Distribution) -> str:
    with suppress(Exception):
        if distribution.name:
            return f"{distribution.name} {distribution.version}"
    return f"a distribution without a name in {distribution.locate_file('')}"


def _check_component(cls: Any, kind: type[Component], hook: str, source: Source) -> None:
    if not (isinstance(cls, type) and issubclass(cls, kind)):
        raise PluginError(f"{source}: {hook}() must return classes of {kind.__name__}, not {cls!r}")
    if cls.is_kind() or not isinstance(cls.model_fields["use"].default, str):
        raise PluginError(f'{source}: {_where(cls)} needs a name: use: Literal["NAME"] = "NAME"')
    try:
        cls.model_rebuild()
    except Exception as error:
        raise PluginError(f"{source}: {_where(cls)} has an option of a type that cannot be resolved: {error}") from error

"""A judge of numbers: the larger one is better, a call about 13 fails, and what is no number cannot be read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest

from adjudge import Completion, Engine, Message, Plugins, hookimpl
from adjudge.host.plugins import Source
from adjudge.testing import completion_of


class Larger(Engine):
    """Prefers the larger number."""

    use: Literal["larger"] = "larger"
    log: Path | None = None
    """A file to which every judgement is appended that is asked for."""

    def fingerprint(self) -> dict[str, Any]:
        return {}

    @contextmanager
    def open(self, model: Path) -> Iterator[Any]:
        yield LargerSession(self.log)


class LargerSession:
    """Every judgement has as many tokens as characters."""

    def __init__(self, log: Path | None) -> None:
        self.log = log

    def sample(self, prompts: Sequence[list[Message]], **settings: Any) -> Iterator[tuple[int, Completion]]:
        for index, prompt in enumerate(prompts):
            one, other = re.findall(r"### Assistant \d\n\n(.*?)(?=\n\n##)", prompt[-1]["content"], re.DOTALL)
            if self.log is not None:
                with self.log.open("a") as log:
                    log.write(f"{one} {other}\n")
            if "13" in (one, other):
                yield index, Completion("", error="timeout")
            elif not (one.isdigit() and other.isdigit()):
                yield index, completion_of("I cannot say.")
            else:
                yield index, completion_of(f"{one} against {other} \\boxed{{Assistant {1 if int(one) > int(other) else 2}}}")


@pytest.fixture(scope="session")
def toys() -> Plugins:
    """The built-in plugins and the engine of this page."""
    module = ModuleType("toys")
    module.register_engines = hookimpl(lambda: [Larger])  # type: ignore[attr-defined]
    plugins = Plugins.load(autoload=False)
    plugins.add(module, Source("toys", "toys", "0"))
    return plugins


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that judges RRM's way."""
    (tmp_path / "judge.json").write_text('{"use": "rrm", "order": "fixed", "max_new_tokens": 99}')
    return tmp_path

"""A plugin for servers under test: a judge of numbers that prefers the larger one, and can be slow, fail now and then, or not at all."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from adjudge import Completion, Engine, Message, hookimpl
from adjudge.testing import completion_of


class Numbers(Engine):
    """Prefers the larger number; 13 times out, and what is no number cannot be read."""

    use: Literal["numbers"] = "numbers"
    log: Path
    """A file to which every judgement is appended that is asked for."""
    hold: Path | None = None
    """Nothing is judged while this file is there."""
    failing: float = 0
    """Share of judgements that fail, the same ones each time."""
    broken: Path | None = None
    """The engine raises while this file is there."""

    def fingerprint(self) -> dict[str, Any]:
        return {}

    @contextmanager
    def open(self, model: Path) -> Iterator[Any]:
        yield NumbersSession(self)


class NumbersSession:
    def __init__(self, options: Numbers) -> None:
        self.options = options

    def sample(self, prompts: Sequence[list[Message]], **settings: Any) -> Iterator[tuple[int, Completion]]:
        options = self.options
        if options.broken is not None and options.broken.exists():
            raise ConnectionError("the endpoint is down")
        for index, prompt in enumerate(prompts):
            one, other = re.findall(r"### Assistant \d\n\n(.*?)(?=\n\n##)", prompt[-1]["content"], re.DOTALL)
            with options.log.open("a") as log:
                log.write(f"{one} {other}\n")
            while options.hold is not None and options.hold.exists():
                time.sleep(0.01)
            drawn = int.from_bytes(hashlib.sha256(f"{one} {other}".encode()).digest()[:4], "big") / 2**32
            if "13" in (one, other) or drawn < options.failing:
                yield index, Completion("", error="timeout")
            elif not (one.isdigit() and other.isdigit()):
                yield index, completion_of("I cannot say.")
            else:
                yield index, completion_of(f"{one} against {other} \\boxed{{Assistant {1 if int(one) > int(other) else 2}}}")


@hookimpl
def register_engines() -> list[type[Engine]]:
    return [Numbers]

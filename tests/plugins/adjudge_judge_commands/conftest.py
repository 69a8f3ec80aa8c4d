"""Commands as forks of one process that has imported what judging takes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest


@pytest.fixture(scope="session")
def forked_command(forks_of: Callable[..., type[subprocess.Popen[Any]]]) -> type[subprocess.Popen[Any]]:
    """Starts, as `subprocess.Popen` does, a command that judges; without torch, one by recorded texts."""
    model = ["adjudge_engines.hf", "transformers.models.qwen2.modeling_qwen2"] if find_spec("torch") else []
    return forks_of("adjudge.cli.app", "adjudge_judge_commands.setup", "adjudge_benchmarks.command", "adjudge_engines.replay", *model)

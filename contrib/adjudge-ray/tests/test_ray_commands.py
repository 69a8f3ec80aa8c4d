"""Judging commands with the engine `ray` print what they print with the engine inside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

pytest.importorskip("ray", reason="Ray is not installed; 'make test-ray' makes an environment that has it")

from adjudge import Plugins
from adjudge.cli.app import app_of

DATA = "{use: arithmetic, levels: [1, 2], size: 12}"
GROUPS = [{"id": str(row), "prompt": f"1{row} + 25 = ?", "answers": [str(row + 35), str(row + 36), str(row + 45)]} for row in range(4)]


def said(command: list[str], engine: str) -> str:
    done = CliRunner().invoke(app_of(Plugins.load()), [*command, "--engine", engine])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    file = tmp_path / "groups.jsonl"
    file.write_text("".join(json.dumps(group) + "\n" for group in GROUPS), encoding="utf-8")
    return file


@pytest.mark.parametrize("command", ["judge", "eval", "rank"])
def test_a_command_says_what_it_says_in_one_process(cluster: Any, groups: Path, command: str) -> None:
    data = f"{{use: jsonl, file: '{groups}'}}" if command == "rank" else DATA
    asked = [command, "--data", data, "--json"]
    alone = said(asked, "{use: hf}")
    assert len(alone.splitlines()) >= 1
    assert said(asked, f"{{use: ray, address: '{cluster.address}', engine: {{use: hf}}}}") == alone

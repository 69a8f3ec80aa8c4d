"""What the tests in a browser share: runs that the embedded judge made, the command that shows them, and Chromium."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from adjudge import Plugins
from adjudge.cli.app import app_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 120_000
"""Milliseconds before a test gives up on what should appear; a busy machine is no failure."""
RUN: dict[str, Any] = {
    "model": "adjudge_arithmetic:model",
    "data": {"use": "arithmetic", "levels": [1, 2], "size": 16},
    "stages": [
        {"use": "grpo", "steps": 3, "prompts_per_step": 2, "group": 4},
        {"use": "sft", "paths": 4, "scorer": {"use": "rstar"}},
    ],
    "evaluation": {"sets": {"graded": {"use": "arithmetic", "part": "test", "levels": [1, 2], "size": 20}}},
}
PROMPTS = [
    {"prompt": "37+48", "answers": ["75", "85", "86", "95", "84"], "label": 1},
    {"prompt": "123+459", "answers": ["582", "572", "682"], "label": 0},
]


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that was trained, two folders of rankings, and a run that stopped and was damaged."""
    folder = tmp_path_factory.mktemp("shown")
    app, runner = app_of(Plugins.load(autoload=False)), CliRunner(env={"ADJUDGE_CACHE": str(folder.parent / "cache")})

    def call(*arguments: object) -> None:
        result = runner.invoke(app, [str(one) for one in arguments])
        assert result.exit_code == 0, result.output

    run, rows = folder.parent / "run.yaml", folder.parent / "rows.jsonl"
    run.write_text(yaml.safe_dump({**RUN, "out": str(folder / "demo")}))
    rows.write_text("".join(json.dumps(row) + "\n" for row in PROMPTS))
    call("run", run)
    call("rank", rows, "--votes", 3, "--order", "both", "--out", folder / "knockout")
    call("rank", rows, "--use", "round-robin", "--votes", 3, "--out", folder / "round-robin")
    _damage(folder)
    return folder


def _damage(folder: Path) -> None:
    """A run that was stopped before its end, in whose middle a line cannot be read, and whose prompts hold markup."""
    broken = folder / "broken" / "records"
    broken.mkdir(parents=True)
    config = yaml.safe_load((folder / "demo" / "config.yaml").read_text())
    (folder / "broken" / "config.yaml").write_text(yaml.safe_dump({**config, "out": str(folder / "broken")}))
    lines = (folder / "demo" / "records" / "0-base-evaluation-graded.jsonl").read_text().splitlines()
    rows = [{**json.loads(line), "prompt": f"{MARKUP} {number}"} for number, line in enumerate(lines)]
    whole = "".join(json.dumps(row) + "\n" for row in rows)
    (broken / "0-base-evaluation-graded.jsonl").write_text(whole + '{"id": "cut off", "prob\n')


MARKUP = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def address(shown: Path) -> Iterator[str]:
    """Where ``adjudge view`` shows the folder."""
    command = [sys.executable, "-m", "adjudge", "view", str(shown), "--port", "0", "--no-browser"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        try:
            yield next(word for word in said.split() if word.startswith("http"))
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; closed with its module, as Playwright holds the event loop while it is open."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=str(CHROMIUM))
        yield chromium
        chromium.close()


@pytest.fixture
def window(browser: Browser) -> Iterator[BrowserContext]:
    """A desktop window that nobody has used; what goes wrong in its pages fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    trouble: list[str] = []
    context.on("weberror", lambda error: trouble.append(str(error.error)))
    context.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    yield context
    context.close()
    assert not trouble


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: the folder that ADJUDGE_PICTURES names, else the test's own."""
    folder = Path(os.environ.get("ADJUDGE_PICTURES") or tmp_path) / "view"
    folder.mkdir(parents=True, exist_ok=True)
    return folder

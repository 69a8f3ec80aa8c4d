"""A scaffolded plugin: it installs with pip, is found in another process, and passes its own tests as they were written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import Plugins
from adjudge.api.stages import KINDS as COMPONENTS
from adjudge.cli.app import app_of

KINDS = {kind.kind.replace(" ", "-"): kind.kind for kind in COMPONENTS} | {"command": "command"}


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app_of(Plugins.load()), ["new-plugin", *map(str, arguments)])


def scaffold(folder: Path, name: str, kind: str) -> Path:
    result = call(name, "--kind", kind, "--into", folder)
    assert result.exit_code == 0, result.output
    return folder / f"adjudge-{name}"


def python(*args: object, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, args)]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": str(path)}, capture_output=True, text=True, check=False)


def own_tests(plugin: Path, site: Path) -> None:
    result = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", plugin, "-c", plugin / "pyproject.toml", plugin, path=site)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"^\d+ passed in", result.stdout, re.MULTILINE), result.stdout


def listed(site: Path) -> dict[tuple[str, str], Any]:
    result = python("-m", "adjudge", "plugins", "--json", path=site)
    assert result.returncode == 0, result.stderr
    return {(row["kind"], row["name"]): row for row in json.loads(result.stdout)["components"]}


def test_installs_with_pip_is_found_and_passes_its_own_tests(tmp_path: Path) -> None:
    plugin, site = scaffold(tmp_path, "near-target", "path-scorer"), tmp_path / "site"
    pip = ["install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    installed = python("-m", "pip", *pip, "--target", site, plugin, path=tmp_path)
    assert installed.returncode == 0, installed.stderr
    row = listed(site)["path scorer", "near-target"]
    assert (row["distribution"], row["version"], row["plugin"]) == ("adjudge-near-target", "0.1.0", "near-target")
    own_tests(plugin, site)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_found_and_passes_its_own_tests(tmp_path: Path, kind: str) -> None:
    plugin = scaffold(tmp_path, "mine", kind)
    info = plugin / "adjudge_mine-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: adjudge-mine\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[adjudge]\nmine = adjudge_mine\n")
    found = listed(plugin)
    assert kind == "command" or (KINDS[kind], "mine") in found
    own_tests(plugin, plugin)


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_is_clean_and_complete(tmp_path: Path, kind: str) -> None:
    plugin = scaffold(tmp_path, "own-way", kind)
    files = sorted(str(file.relative_to(plugin)) for file in plugin.rglob("*") if file.is_file())
    assert files == ["README.md", "adjudge_own_way/__init__.py", "pyproject.toml", "tests/test_own_way.py"]
    assert not [file for file in files if "$" in (plugin / file).read_text()]
    result = python("-m", "ruff", "check", "--isolated", "--line-length", "140", "--select", "E,F,W,I,UP,B", plugin, path=tmp_path)
    assert result.returncode == 0, result.stdout
    formatted = python("-m", "ruff", "format", "--isolated", "--line-length", "140", "--check", plugin, path=tmp_path)
    assert formatted.returncode == 0, formatted.stdout


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("Mine", "aggregator", "'Mine' is no name for a plugin"),
        ("a--b", "aggregator", "is no name for a plugin"),
        ("../up", "aggregator", "is no name for a plugin"),
        ("data", "aggregator", "'data' is taken"),
        ("elo", "aggregator", "'elo' is taken"),
        ("accelerate", "launcher", "'accelerate' is taken"),
        ("eval", "command", "'eval' is taken"),
        ("run", "command", "'run' is taken"),
    ],
)
def test_names_that_cannot_work_are_refused(tmp_path: Path, name: str, kind: str, message: str) -> None:
    result = call(name, "--kind", kind, "--into", tmp_path)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = call("mine", "--into", tmp_path / "file")
    assert result.exit_code == 2
    assert "file/adjudge-mine cannot be written: Not a directory.\n  Remedy" in result.stderr


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    scaffold(tmp_path, "mine", "aggregator")
    result = call("mine", "--into", tmp_path)
    assert (result.exit_code, "exists already" in result.stderr) == (2, True)
    assert call("mine", "--kind", "kitchen").exit_code == 2

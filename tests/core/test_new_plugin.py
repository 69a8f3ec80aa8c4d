"""A scaffolded plugin: it installs with pip, is found in another process, and passes its own tests as they were written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import Plugins
from adjudge.api.stages import KINDS as COMPONENTS
from adjudge.cli.app import app_of

KINDS = {kind.kind.replace(" ", "-"): kind.kind for kind in COMPONENTS} | {"soft-judge": "judge", "command": "command"}


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app_of(Plugins.load()), ["new-plugin", *map(str, arguments)])


def scaffold(folder: Path, name: str, kind: str) -> Path:
    result = call(name, "--kind", kind, "--into", folder)
    assert result.exit_code == 0, result.output
    return folder / f"adjudge-{name}"


def python(
    *args: object, path: Path | str, cwd: Path | None = None, start: type[subprocess.Popen[str]] = subprocess.Popen
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = {
        **clean,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join([str(path), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    command = [sys.executable, *map(str, args)]
    process = start(command, env=environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    told, errors = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, told, errors)


def own_tests(*plugins: Path, root: Path, site: Path | str, start: type[subprocess.Popen[str]] = subprocess.Popen) -> list[str]:
    """The files of tests that pass, a name for every test; none fails."""
    options = ["-v", "-p", "no:cacheprovider", "--rootdir", root, "-c", plugins[0] / "pyproject.toml"]
    result = python("-m", "pytest", *options, *plugins, path=site, cwd=root, start=start)
    assert result.returncode == 0, result.stdout + result.stderr
    return re.findall(r"^(\S+)::.* PASSED", result.stdout, re.MULTILINE)


def listed(site: Path | str) -> dict[tuple[str, str], Any]:
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
    assert set(own_tests(plugin, root=plugin, site=site)) == {"tests/test_near_target.py"}


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[dict[tuple[str, str], Any], list[str]]:
    """A plugin of every kind, installed side by side: what a process lists, and the files of tests that pass in another."""
    start = request.getfixturevalue("forked") if find_spec("trl") else subprocess.Popen  # the stage trainer's tests load a model
    folder, plugins = tmp_path_factory.mktemp("every"), []
    for kind in KINDS:
        plugins.append(scaffold(folder, f"mine-{kind}", kind))
        module = f"adjudge_mine_{kind.replace('-', '_')}"
        info = plugins[-1] / f"{module}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: adjudge-mine-{kind}\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text(f"[adjudge]\nmine-{kind} = {module}\n")
    site = os.pathsep.join(map(str, plugins))
    return listed(site), own_tests(*plugins, root=folder, site=site, start=start)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_found_and_passes_its_own_tests(every: tuple[dict[tuple[str, str], Any], list[str]], kind: str) -> None:
    found, passed = every
    assert kind == "command" or (KINDS[kind], f"mine-{kind}") in found
    assert f"adjudge-mine-{kind}/tests/test_mine_{kind.replace('-', '_')}.py" in passed


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

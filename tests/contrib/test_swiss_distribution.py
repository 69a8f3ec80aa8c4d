"""`contrib/adjudge-swiss` is a real distribution: pip installs it, adjudge discovers it, and its own tests pass there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SWISS = Path(__file__).parents[2] / "contrib" / "adjudge-swiss"
LIST_AGGREGATORS = """
import json
from adjudge import Aggregator, Plugins
plugins = Plugins.load()
found = plugins.of_kind(Aggregator)
files = {name: __import__(entry.cls.__module__).__file__ for name, entry in found.items()}
print(json.dumps({"sources": {name: str(entry.source) for name, entry in found.items()}, "files": files, "broken": plugins.broken}))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip has installed the distribution into, from its source tree and without a package index."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder)]
    made = subprocess.run([sys.executable, "-m", "pip", "install", *options, str(SWISS)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


def python(arguments: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ADJUDGE_", "PYTEST_", "PYTHONPATH"))}
    clean["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=cwd, env={**clean, **environment})


def aggregators(cwd: Path, **environment: str) -> dict[str, dict[str, str]]:
    done = python(["-c", LIST_AGGREGATORS], cwd, **environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def test_the_wheel_holds_the_package_and_its_entry_point_and_nothing_else(site: Path) -> None:
    assert {path.name for path in site.iterdir()} == {"adjudge_swiss", "adjudge_swiss-0.1.0.dist-info"}
    entry_points = (site / "adjudge_swiss-0.1.0.dist-info" / "entry_points.txt").read_text()
    assert entry_points.split() == ["[adjudge]", "swiss", "=", "adjudge_swiss"]


def test_installed_it_is_discovered_with_its_distribution_and_version(site: Path, tmp_path: Path) -> None:
    found = aggregators(tmp_path, PYTHONPATH=str(site))
    assert found["sources"]["swiss"] == "swiss (adjudge-swiss 0.1.0)"
    assert Path(found["files"]["swiss"]).is_relative_to(site)
    assert found["broken"] == {}


@pytest.mark.parametrize("switch", [{"ADJUDGE_BLOCK": "swiss"}, {"ADJUDGE_NO_AUTOLOAD": "1"}], ids=["blocked", "no autoload"])
def test_switched_off_it_is_not_there_and_the_host_is(site: Path, tmp_path: Path, switch: dict[str, str]) -> None:
    found = aggregators(tmp_path, PYTHONPATH=str(site), **switch)
    assert "swiss" not in found["sources"]
    assert "elo" in found["sources"]


def test_its_own_tests_pass_against_the_installed_package(site: Path, tmp_path: Path) -> None:
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(SWISS), "-c", str(SWISS / "pyproject.toml")]
    done = python(["-B", "-m", "pytest", *options, str(SWISS / "tests")], tmp_path, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout

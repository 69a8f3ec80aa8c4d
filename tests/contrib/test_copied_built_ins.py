"""A built-in plugin has exactly the shape of a third party's: copied out, renamed and installed, it is found and its own tests pass."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = ("adjudge_sft", "adjudge_tournament")
PYPROJECT = """[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "{distribution}"
version = "0.1.0"
dependencies = ["adjudge"]

[project.entry-points.adjudge]
{distribution} = "{package}"
"""
USE = re.compile(r'use: Literal\["([\w-]+)"\] = "\1"')
COMPONENT = re.compile(r"^class (\w+)\((?:StageTrainer|Aggregator)\):", re.MULTILINE)
ELSEWHERE = " or ".join(
    (
        "no_place_in_the_list_is_an_advantage", "holds_some_bytes_of_a_path", "finds_the_best_about_as_often", "(intervals and hold)",
        "hard_ones_are_voted_on_in_full", "sequential_test_errs_no_more_often_than_it_says",
    )
)  # fmt: skip
"""Tests that measure what the code does, by thousands of tournaments and of paths; a copy of it does the same."""
LIST = """
from adjudge import Plugins
plugins = Plugins.load()
print(sorted(name for (_, name), entry in plugins.entries.items() if entry.source.distribution.startswith("adjudge-other")), plugins.broken)
"""


Start = type[subprocess.Popen[str]]


def python(arguments: list[str], cwd: Path, site: Path, start: Start = subprocess.Popen) -> subprocess.CompletedProcess[str]:
    """A Python that has the distributions on its path, and whose pytest has no plugins of others."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ADJUDGE_", "PYTEST_", "PYTHONPATH"))}
    environment = {**clean, "PYTHONPATH": str(site), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command, pipe = [sys.executable, *arguments], subprocess.PIPE
    process = start(command, stdout=pipe, stderr=pipe, text=True, cwd=cwd, env=environment)
    told, errors = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, told, errors)


def tried_once(text: str) -> str:
    """Tests whose properties are tried on one example: whether they hold is asked where they come from, here whether they run."""
    return re.sub(r"\bmax_examples=\d+", "max_examples=1", text)


class Copied:
    """A built-in plugin and its tests under another name, as a distribution in a folder of its own."""

    def __init__(self, plugin: str, folder: Path) -> None:
        self.package = plugin.replace("adjudge_", "adjudge_other_")
        self.distribution = self.package.replace("_", "-")
        self.folder = folder / self.distribution
        sources = [ROOT / "plugins" / plugin, ROOT / "tests" / "plugins" / plugin]
        text = "".join(file.read_text(encoding="utf-8") for file in sources[0].rglob("*.py"))
        self.uses = USE.findall(text)
        self.names = {plugin: self.package, **{name: f"Other{name}" for name in COMPONENT.findall(text)}}
        assert self.uses
        for source, target in zip(sources, (self.package, "tests"), strict=True):
            shutil.copytree(source, self.folder / target, ignore=shutil.ignore_patterns("__pycache__"))
        for file in self.folder.rglob("*.py"):
            file.write_text(tried_once(self.renamed(file.read_text(encoding="utf-8"))), encoding="utf-8")
        shared = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
        told = shared.replace("autoload=False", "autoload=True").replace("deadline=None", "deadline=None, max_examples=1")
        (self.folder / "tests" / "conftest.py").write_text(told, encoding="utf-8")
        text = PYPROJECT.format(distribution=self.distribution, package=self.package)
        assert len(text.splitlines()) == 11
        (self.folder / "pyproject.toml").write_text(text, encoding="utf-8")

    def renamed(self, text: str) -> str:
        for name, other in self.names.items():
            text = re.sub(rf"\b{name}\b", other, text)
        for use in self.uses:
            text = text.replace(f'"{use}"', f'"other-{use}"').replace(f"'{use}'", f"'other-{use}'")
            text = re.sub(rf"\b(\d)-{use}\b", rf"\1-other-{use}", text)
        return text


class Installed:
    """Both, installed side by side: what a process finds, and the files of their own tests that pass in another."""

    def __init__(self, folder: Path, start: Start) -> None:
        self.copied = {plugin: Copied(plugin, folder) for plugin in PLUGINS}
        folders, site = [str(one.folder) for one in self.copied.values()], folder / "site"
        options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(site)]
        made = subprocess.run([sys.executable, "-m", "pip", "install", *options, *folders], capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
        self.listed = python(["-c", LIST], folder, site)
        options = [
            "-v",
            "-p",
            "no:cacheprovider",
            "--import-mode=importlib",
            "-m",
            "not slow",
            "-k",
            f"not ({ELSEWHERE})",
            "-W",
            "ignore::pytest.PytestUnknownMarkWarning",
        ]
        place = ["--rootdir", str(folder), "-c", f"{folders[0]}/pyproject.toml", *(f"{one}/tests" for one in folders)]
        done = python(["-m", "pytest", *options, *place], folder, site, start)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        self.passed = set(re.findall(r"^(\S+)/tests/\S+::.* PASSED", done.stdout, re.MULTILINE))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, forked: Start) -> Installed:
    return Installed(tmp_path_factory.mktemp("copied"), forked)


def test_built_ins_copied_out_are_found_with_all_their_components(installed: Installed) -> None:
    uses = sorted(f"other-{use}" for copied in installed.copied.values() for use in copied.uses)
    assert installed.listed.stdout.strip() == f"{uses} {{}}", installed.listed.stdout + installed.listed.stderr


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_built_in_copied_out_passes_its_own_tests(installed: Installed, plugin: str) -> None:
    assert installed.copied[plugin].distribution in installed.passed

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
LIST = """
from adjudge import Plugins
plugins = Plugins.load()
print(sorted(name for (_, name), entry in plugins.entries.items() if entry.source.distribution.startswith("adjudge-other")), plugins.broken)
"""


def python(arguments: list[str], cwd: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """A Python that has the distribution on its path."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ADJUDGE_", "PYTEST_", "PYTHONPATH"))}
    environment = {**clean, "PYTHONPATH": str(site)}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=cwd, env=environment)


class Copied:
    """A built-in plugin and its tests under another name, as a distribution in a folder of its own."""

    def __init__(self, plugin: str, folder: Path) -> None:
        self.package = plugin.replace("adjudge_", "adjudge_other_")
        self.folder, self.site = folder / "source", folder / "site"
        sources = [ROOT / "plugins" / plugin, ROOT / "tests" / "plugins" / plugin]
        text = "".join(file.read_text(encoding="utf-8") for file in sources[0].rglob("*.py"))
        self.uses = USE.findall(text)
        self.names = {plugin: self.package, **{name: f"Other{name}" for name in COMPONENT.findall(text)}}
        assert self.uses
        for source, target in zip(sources, (self.package, "tests"), strict=True):
            shutil.copytree(source, self.folder / target, ignore=shutil.ignore_patterns("__pycache__"))
        for file in self.folder.rglob("*.py"):
            file.write_text(self.renamed(file.read_text(encoding="utf-8")), encoding="utf-8")
        shared = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
        (self.folder / "tests" / "conftest.py").write_text(shared.replace("autoload=False", "autoload=True"), encoding="utf-8")
        text = PYPROJECT.format(distribution=self.package.replace("_", "-"), package=self.package)
        assert len(text.splitlines()) == 11
        (self.folder / "pyproject.toml").write_text(text, encoding="utf-8")

    def renamed(self, text: str) -> str:
        for name, other in self.names.items():
            text = re.sub(rf"\b{name}\b", other, text)
        for use in self.uses:
            text = text.replace(f'"{use}"', f'"other-{use}"').replace(f"'{use}'", f"'other-{use}'")
            text = re.sub(rf"\b(\d)-{use}\b", rf"\1-other-{use}", text)
        return text

    def install(self) -> None:
        options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(self.site)]
        made = subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, str(self.folder)], capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stdout + made.stderr


@pytest.mark.parametrize("plugin", ["adjudge_sft", "adjudge_tournament"])
def test_a_built_in_copied_out_is_a_working_third_party(plugin: str, tmp_path: Path) -> None:
    copied = Copied(plugin, tmp_path)
    copied.install()
    listed = python(["-c", LIST], tmp_path, copied.site)
    assert listed.stdout.strip() == f"{sorted(f'other-{use}' for use in copied.uses)} {{}}", listed.stdout + listed.stderr
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-m", "not slow", "-W", "ignore::pytest.PytestUnknownMarkWarning"]
    place = ["--rootdir", str(copied.folder), "-c", str(copied.folder / "pyproject.toml"), str(copied.folder / "tests")]
    done = python(["-B", "-m", "pytest", *options, *place], tmp_path, copied.site)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert " passed" in done.stdout

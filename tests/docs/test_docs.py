"""The documents are true: generated pages are current, code runs, run files validate, commands and links exist, hooks are written down."""

from __future__ import annotations

import importlib.util
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest
import typer
import yaml
from typer.testing import CliRunner

from adjudge import Plugins, hookspecs
from adjudge.cli import app
from adjudge.components import KINDS
from adjudge.config import RunConfig, read_run_file, validate
from adjudge.manager import Source

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "contrib/*/README.md", "core/*.md", "plugins/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
RUN_FILES = sorted((ROOT / "docs" / "runs").rglob("*.yaml"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# (\S+\.py)\n")
"""The first line of a block that is the whole of a file."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> Iterator[tuple[int, str]]:
    """Line number and text of every fenced block in these languages."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        if match[1] in languages:
            yield text[: match.start(2)].count("\n"), match[2]


def files_in(page: Path) -> dict[str, str]:
    """Blocks that begin with the name of the file they are, by that name."""
    return {found[1]: text.removeprefix(found[0]) for _, text in blocks(page, "python") if (found := FILE_NAME.match(text))}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty current folder and no network."""

    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("a document's code must not need a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_page(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """All Python blocks of a page, in order, as one module; a block that is a package's file can be imported by that package's name."""
    module = ModuleType("page_" + re.sub(r"\W", "_", name_of(page)))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for package in (file.split("/")[0] for file in files_in(page) if file.endswith("/__init__.py")):
        monkeypatch.setitem(sys.modules, package, module)
    for line, text in blocks(page, "python"):
        # A file of its own, because the docstrings of options are read from the source.
        file = folder / f"{page.stem}_line_{line}.py"
        file.write_text(text, encoding="utf-8")
        module.__file__ = str(file)
        exec(compile(text, str(file), "exec"), vars(module))
    return module


CODE_PAGES = [page for page in PAGES if any(blocks(page, "python", "yaml"))]


# Generated pages ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_current() -> None:
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_stale_or_missing_page_is_named_and_nothing_is_written(
    generate: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main([], tmp_path) == 0
    assert generate.main(["--check"], tmp_path) == 0
    (tmp_path / "hooks.md").write_text("old")
    (tmp_path / "options.md").unlink()
    assert generate.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err.split("\n")[:2] == [
        "docs/hooks.md is stale: run 'make docs'",
        "docs/options.md is stale: run 'make docs'",
    ]
    assert (tmp_path / "hooks.md").read_text() == "old"
    assert not (tmp_path / "options.md").exists()


def test_every_hook_is_documented_with_its_exact_arguments(generate: ModuleType) -> None:
    headings = re.findall(r"^### `(.*)`$", (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8"), re.MULTILINE)
    specs = [value for value in vars(hookspecs).values() if hasattr(value, "adjudge_spec")]
    assert len(specs) == 13
    for function in specs:
        arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
        written = ", ".join(f"{name}: {function.__annotations__[name]}" for name in arguments)
        assert f"{function.__name__}({written}) -> {function.__annotations__['return']}" in headings
    assert len(headings) == len(specs)


def test_every_hook_has_a_built_in_plugin_that_uses_it(generate: ModuleType) -> None:
    plugins = Plugins.load(autoload=False)
    assert [name for name in generate.hook_names() if not generate.users(name, plugins)] == []


def sections(text: str, level: str) -> dict[str, str]:
    """What stands under each heading of this level."""
    _, *parts = re.split(rf"^{level} ", text, flags=re.MULTILINE)
    return {title.strip("`"): body for title, body in (part.split("\n", 1) for part in parts)}


def test_every_component_and_option_is_documented() -> None:
    plugins = Plugins.load(autoload=False)
    by_kind = sections((ROOT / "docs" / "options.md").read_text(encoding="utf-8"), "##")
    assert [title.lower() for title in by_kind] == ["the run file", *(f"{kind.kind}s" for kind in KINDS)]
    for kind, text in zip(KINDS, list(by_kind.values())[1:], strict=True):
        by_name, entries = sections(text, "###"), plugins.of_kind(kind)
        assert set(by_name) == set(entries)
        for name, entry in entries.items():
            options = set(entry.cls.model_fields) - {"use"}
            assert set(re.findall(r"^\| `(\w+)` \|", by_name[name], re.MULTILINE)) == options, name
            assert all(entry.cls.model_fields[option].description for option in options), f"{name} has an option without a docstring"


# Code, run files, commands, links -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", CODE_PAGES, ids=name_of)
def test_the_python_of_a_page_runs_and_its_run_files_validate(page: Path, offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = run_page(page, offline, monkeypatch)
    for name, value in list(vars(module).items()):
        if name.startswith("test_"):
            value()
    check_run_files(page, module)


def check_run_files(page: Path, module: ModuleType) -> None:
    """Every YAML block that is a run file, with the components that the page itself defines."""
    plugins = Plugins.load(autoload=False)
    plugins.add(module, Source("page", name_of(page), "0"))
    for line, text in blocks(page, "yaml"):
        data = yaml.safe_load(text)
        if isinstance(data, dict) and {"model", "stages"} & set(data):
            validate(RunConfig, data, plugins, f"{name_of(page)}:{line}")


def test_the_first_pages_have_what_they_promise() -> None:
    """Guards the tests above: no page may lose its blocks unnoticed."""
    readme, tutorial = ROOT / "README.md", ROOT / "docs" / "tutorial.md"
    assert {readme, tutorial} <= set(CODE_PAGES)
    for page in (readme, tutorial):
        assert any({"model", "stages"} <= set(yaml.safe_load(text)) for _, text in blocks(page, "yaml"))
    assert {"make demo", "make test"} <= {line.split("#")[0].strip() for _, text in blocks(readme, "sh") for line in text.splitlines()}


@pytest.mark.parametrize("file", RUN_FILES, ids=lambda file: file.name)
def test_a_run_file_validates(file: Path) -> None:
    read_run_file(file, (), Plugins.load(autoload=False))


def test_there_is_a_run_file_for_the_demo() -> None:
    assert "demo.yaml" in [file.name for file in RUN_FILES]


COMMANDS: dict[str, Any] = getattr(typer.main.get_command(app), "commands")  # noqa: B009 - a Group has it, a Command has not


def calls(page: Path) -> Iterator[list[str]]:
    """Words of every call of adjudge in a page's shell blocks, from the subcommand on."""
    for _, text in blocks(page, "sh", ""):
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            starts = [index for index, word in enumerate(words) if word == "adjudge"]
            for start in starts:
                rest = words[start + 1 :]
                yield rest[: next((index for index, word in enumerate(rest) if word in ("&&", "|")), len(rest))]


@pytest.mark.parametrize("page", [page for page in PAGES if any(calls(page))], ids=name_of)
def test_commands_and_their_options_exist(page: Path) -> None:
    for name, *arguments in calls(page):
        assert name in COMMANDS, f"adjudge {name}"
        options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
        assert [word for word in arguments if word.startswith("--") and word not in options] == [], f"adjudge {name}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


# The tutorial, as somebody would follow it --------------------------------------------------------------------------------


def test_the_tutorial_leads_to_a_plugin_that_is_found_and_passes_its_tests(tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["new-plugin", "weakest-link", "--into", str(tmp_path)])
    assert made.exit_code == 0, made.output
    folder = tmp_path / "adjudge-weakest-link"
    files = files_in(ROOT / "docs" / "tutorial.md")
    assert set(files) == {"adjudge_weakest_link/__init__.py", "tests/test_weakest_link.py"}
    for name, text in files.items():
        assert (folder / name).exists(), f"the scaffold has no {name}"
        (folder / name).write_text(text, encoding="utf-8")
    # What `pip install -e` leaves behind, without a build.
    info = folder / "adjudge_weakest_link-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: adjudge-weakest-link\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[adjudge]\nweakest-link = adjudge_weakest_link\n")
    [run_file] = [text for _, text in blocks(ROOT / "docs" / "tutorial.md", "yaml")]
    (tmp_path / "compare.yaml").write_text(run_file)
    path = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(folder), "-c", str(folder / "pyproject.toml")]
    tested = subprocess.run([sys.executable, "-m", "pytest", *options, str(folder)], env=path, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "3 passed" in tested.stdout
    dry = [sys.executable, "-m", "adjudge", "run", "compare.yaml", "--dry-run"]
    planned = subprocess.run(dry, cwd=tmp_path, env=path, capture_output=True, text=True, check=False)
    assert planned.returncode == 0, planned.stderr
    assert "0-base → 1-sft" in planned.stdout

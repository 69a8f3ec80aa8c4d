"""The documents are true: generated pages are current, code runs, run files validate, commands and links exist, hooks are written down."""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn
from xml.etree import ElementTree

import pytest
import typer
import yaml
from typer.testing import CliRunner

from adjudge import (
    KINDS,
    Eligibility,
    Judge,
    PathScorer,
    Plugins,
    Run,
    RunConfig,
    RunInfo,
    StageContext,
    field_docs,
    read_run_file,
    validate,
)
from adjudge.api import hooks
from adjudge.cli.app import app_of
from adjudge.host.plugins import Source
from adjudge_rewards import RewardConfig

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "contrib/*/README.md", "core/*.md", "plugins/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
RUN_FILES = sorted((ROOT / "docs" / "runs").rglob("*.yaml"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
APP = app_of(Plugins.load(autoload=False))
GROUP: Any = typer.main.get_command(app_of(Plugins.load(autoload=False)))
COMMANDS: dict[str, Any] = {name: GROUP.get_command(None, name) for name in GROUP.list_commands(None)}
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
    """An empty current folder, an empty cache and no network."""

    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("a document's code must not need a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("ADJUDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_page(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """All Python blocks of a page, in order, as one module; a block that is a package's file can be imported by that package's name."""
    module = ModuleType("page_" + re.sub(r"\W", "_", name_of(page)))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for package in (file.split("/")[0] for file in files_in(page) if file.endswith("/__init__.py")):
        monkeypatch.setitem(sys.modules, package, module)
    file, source = folder / f"{module.__name__}.py", ""
    module.__file__ = str(file)
    for _, text in blocks(page, "python"):
        code, source = "\n" * source.count("\n") + text, source + text
        file.write_text(source, encoding="utf-8")  # the docstrings of options are read from there
        exec(compile(code, str(file), "exec"), vars(module))
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


def test_every_row_of_the_tables_of_options_is_one_line() -> None:
    lines = (ROOT / "docs" / "options.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("|") != line.endswith("|")] == []


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
    specs = [value for value in vars(hooks).values() if hasattr(value, "adjudge_spec")]
    assert len(specs) == 17
    for function in specs:
        arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
        written = ", ".join(f"{name}: {function.__annotations__[name]}" for name in arguments)
        assert f"{function.__name__}({written}) -> {function.__annotations__['return']}" in headings
    assert len(headings) == len(specs)


def test_every_hook_has_a_built_in_plugin_that_uses_it(generate: ModuleType) -> None:
    plugins = Plugins.load(autoload=False)
    assert [name for name in generate.hook_names() if not generate.users(name, plugins)] == []


def test_what_a_stage_and_a_run_offer_is_documented() -> None:
    page = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    for title, protocol in (("What a stage offers", StageContext), ("What a run offers", RunInfo)):
        listed = set(re.findall(r"^- `(\w+)[:(]", sections(page, "##")[title], re.MULTILINE))
        assert listed == {name for name in {*vars(protocol), *protocol.__annotations__} if not name.startswith("_")}


def test_every_kind_has_a_page_with_a_whole_plugin(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed as it stands, as a distribution of its own, it is found and adds a component of that kind."""
    kinds = {kind.kind.replace(" ", "-"): kind.hook for kind in KINDS} | {"command": "register_commands"}
    folder = ROOT / "docs" / "kinds"
    assert {page.stem for page in folder.glob("*.md")} == {*kinds, "README"}
    for name, hook in kinds.items():
        [plugin] = [text for _, text in blocks(folder / f"{name}.md", "python") if "@hookimpl" in text and f"def {hook}(" in text]
        module = f"{name.replace('-', '_')}_page"
        (offline / f"{module}.py").write_text(plugin, encoding="utf-8")
        info = offline / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-page\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[adjudge]\n{name}-page = {module}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.syspath_prepend(str(offline))
    plugins = Plugins.load()
    assert not plugins.broken
    found = {(entry.source.distribution, kind.replace(" ", "-")) for (kind, _), entry in plugins.entries.items()}
    found |= {("command-page", "command") for command in plugins.commands() if command.name not in COMMANDS}
    assert sorted(pair for pair in found if pair[0].endswith("-page")) == sorted((f"{name}-page", name) for name in kinds)


def test_the_launcher_of_its_page_does_the_work_of_a_stage(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = run_page(ROOT / "docs" / "kinds" / "launcher.md", offline, monkeypatch)
    plugins = Plugins.load(autoload=False)
    plugins.add(module, Source("page", "launcher", "0"))
    monkeypatch.setattr(Plugins, "load", lambda *_, **__: plugins)
    pairs = [{"prompt": f"{n}?", "answers": ["yes", "no"], "label": n % 2} for n in range(5)]
    Path("train.jsonl").write_text(json.dumps(pairs[0]))
    Path("test.jsonl").write_text("\n".join(map(json.dumps, pairs[1:])))
    Path("model").mkdir()
    data = {
        "out": "out", "model": "model", "judge": {"use": "rrm", "order": "fixed"}, "engine": {"use": "replay", "file": "texts.jsonl"},
        "data": {"use": "jsonl", "file": "train.jsonl"}, "stages": [], "reporters": [], "launch": "inline",
        "evaluation": {"sets": {"held-out": {"use": "jsonl", "file": "test.jsonl"}}},
    }  # fmt: skip
    run = Run(validate(RunConfig, data, plugins, "run"), plugins)
    prompts = [run.judge.render(problem, "given")[-1]["content"] for problem in run.load_problems()[1]["held-out"]]
    rows = [json.dumps({"prompt": prompt, "texts": ["\\boxed{Assistant 1}"]}) for prompt in prompts]
    Path("texts.jsonl").write_text("\n".join(rows))
    heard = []
    monkeypatch.setattr(run, "tell", lambda hook, **facts: heard.append((hook, facts.get("name"))))
    [base] = run.execute()
    assert (base["evaluation"]["held-out"]["n"], base["evaluation"]["held-out"]["accuracy"]) == (4, 0.5)
    assert heard.count(("record_written", "evaluation-held-out")) == 4


# Pictures -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def draw() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "pictures" / "draw.py"))


def test_the_pictures_are_current(draw: dict[str, Any]) -> None:
    drawn = {file.stem for file in (ROOT / "docs" / "pictures").glob("*.svg")}
    assert drawn == {file.stem for file in (ROOT / "docs" / "pictures").glob("*.txt")} == {"reasongrm", "rrm"}
    assert draw["main"](["--check"]) == 0


def test_a_stale_picture_is_named_and_not_drawn(draw: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.txt").write_text("title One\nbox a data 0 0 | A & B\nbox b step 1 0 | B | below | file\narrow a -> b | next")
    assert draw["main"]([], tmp_path) == 0
    svg = (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert [node.text for node in ElementTree.fromstring(svg).iter() if node.text and node.text.strip()][-5:] == [
        "next", "A & B", "B", "below", "file",
    ]  # fmt: skip
    (tmp_path / "one.svg").write_text("old")
    assert draw["main"](["--check"], tmp_path) == 1
    assert "one.svg is stale: run 'make docs'" in capsys.readouterr().err
    assert (tmp_path / "one.svg").read_text() == "old"


@pytest.mark.parametrize("line", ["box a data 0", "arrow a -> nobody", "box a cloud 0 0 | x", "circle"])
def test_a_line_of_a_picture_that_means_nothing_is_told(draw: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=f"^line 2 is no title, band, box or arrow between boxes above it: {line!r}"):
        draw["read"](f"title One\n{line}")


# Components and options ---------------------------------------------------------------------------------------------------


def sections(text: str, level: str) -> dict[str, str]:
    """What stands under each heading of this level."""
    _, *parts = re.split(rf"^{level} ", text, flags=re.MULTILINE)
    return {title.strip("`"): body for title, body in (part.split("\n", 1) for part in parts)}


def test_every_component_and_option_is_documented() -> None:
    plugins = Plugins.load(autoload=False)
    by_kind = sections((ROOT / "docs" / "options.md").read_text(encoding="utf-8"), "##")
    assert [title.lower() for title in by_kind] == ["the run file", "the file of a reward", *(f"{kind.kind}s" for kind in KINDS)]
    for kind, text in zip(KINDS, list(by_kind.values())[2:], strict=True):
        by_name, entries = sections(text, "###"), plugins.of_kind(kind)
        assert set(by_name) == set(entries)
        for name, entry in entries.items():
            options = set(entry.cls.model_fields) - {"use"}
            assert set(re.findall(r"^\| `(\w+)` \|", by_name[name], re.MULTILINE)) == options, name
            assert options <= field_docs(entry.cls).keys(), f"{name} has an option without a docstring"


# Code, run files, commands, links -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", CODE_PAGES, ids=name_of)
def test_the_python_of_a_page_runs_and_its_run_files_validate(page: Path, offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = run_page(page, offline, monkeypatch)
    for name, value in list(vars(module).items()):
        if name.startswith("test_"):
            value()
    check_run_files(page, module)


def check_run_files(page: Path, module: ModuleType) -> None:
    """Every YAML block that is a run file, that of a reward, or names a judge, with the components that the page itself defines."""
    plugins = Plugins.load(autoload=False)
    plugins.add(module, Source("page", name_of(page), "0"))
    for line, text in blocks(page, "yaml"):
        data = yaml.safe_load(text)
        if isinstance(data, dict) and {"model", "stages"} & set(data):
            kind = RewardConfig if "reward" in data and "stages" not in data else RunConfig
            validate(kind, data, plugins, f"{name_of(page)}:{line}")
        elif isinstance(data, dict) and {"scorer", "eligible"} & set(data):
            for field, given in data.items():
                for one in given:
                    stage = {"use": "sft", "paths": 8, "scorer": "rstar", field: one}
                    run = {"out": "x", "model": "m", "data": {"use": "arithmetic"}, "stages": [stage]}
                    validate(RunConfig, run, plugins, f"{name_of(page)}:{line}: {one}")
        elif isinstance(data, dict) and "judge" in data:
            validate(Judge, data["judge"], plugins, f"{name_of(page)}:{line}")


def named(data: Any) -> Iterator[str]:
    """Every component that YAML names, by its `use` or as an entry of a list."""
    if isinstance(data, dict):
        yield from [str(data["use"])] if "use" in data else []
        for one in data.values():
            yield from named(one)
    elif isinstance(data, list):
        for one in data:
            yield from [one] if isinstance(one, str) else named(one)


def test_every_scorer_rule_and_soft_judge_stands_in_a_file_that_is_shown_and_validates() -> None:
    shown = [yaml.safe_load(text) for page in PAGES for _, text in blocks(page, "yaml")]
    names = {name for data in shown for name in named(data)}
    plugins = Plugins.load(autoload=False)
    wanted = {*plugins.of_kind(PathScorer), *plugins.of_kind(Eligibility), "direct", "soft", "cascade", "panel", "rubric"}
    assert wanted - names == set()
    assert any("thinking_budget" in data["judge"] for data in shown if isinstance(data, dict) and isinstance(data.get("judge"), dict))


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


def calls(page: Path) -> Iterator[list[str]]:
    """Words of every call of adjudge in a page's shell blocks, from the subcommand on."""
    for _, text in blocks(page, "sh", ""):
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            starts = [index for index, word in enumerate(words) if word == "adjudge" and words[index - 1 : index] != ["install"]]
            for start in starts:
                rest = words[start + 1 :]
                yield rest[: next((index for index, word in enumerate(rest) if word in ("&&", "|")), len(rest))]


@pytest.mark.parametrize("page", [page for page in PAGES if any(calls(page))], ids=name_of)
def test_commands_and_their_options_exist(page: Path) -> None:
    for name, *arguments in calls(page):
        assert name in COMMANDS, f"adjudge {name}"
        options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
        assert [word for word in arguments if word.startswith("--") and word not in options] == [], f"adjudge {name}"


LINK = re.compile(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [target for target, _ in LINK.findall(text) if not (page.parent / target).exists()] == []
    to_headings = [(page.parent / target if target else page, anchor) for target, anchor in LINK.findall(text) if anchor]
    assert [(place.name, anchor) for place, anchor in to_headings if anchor not in anchors(place)] == []


def anchors(page: Path) -> set[str]:
    """What links may name in a page: its headings, as GitHub writes them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


# The tutorial, as somebody would follow it --------------------------------------------------------------------------------


def test_the_tutorial_leads_to_a_plugin_that_is_found_and_passes_its_tests(tmp_path: Path) -> None:
    made = CliRunner().invoke(APP, ["new-plugin", "weakest-link", "--into", str(tmp_path)])
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
    path = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(folder), "-c", str(folder / "pyproject.toml")]
    tested = subprocess.run([sys.executable, "-m", "pytest", *options, str(folder)], env=path, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "3 passed" in tested.stdout
    dry = [sys.executable, "-m", "adjudge", "run", "compare.yaml", "--dry-run"]
    planned = subprocess.run(dry, cwd=tmp_path, env=path, capture_output=True, text=True, check=False)
    assert planned.returncode == 0, planned.stderr
    assert "0-base → 1-sft" in planned.stdout

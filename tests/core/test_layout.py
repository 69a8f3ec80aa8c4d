"""The tree keeps its shape: source roots, who may import whom, nothing heavy on import, short files with a first sentence, the wheel."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import pytest

import adjudge
import adjudge.testing
from adjudge.host.plugins import BUILTIN

ROOT = Path(__file__).parents[2]
CORE = sorted((ROOT / "core").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
FOLDERS = ("core", "plugins", "contrib", "docs", "benchmarks", "tests")
PYTHON = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
SUFFIXES = (".py", ".md", ".yaml", ".toml", ".txt", ".jinja", ".template", ".css")
TEXTS = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*") if file.suffix in SUFFIXES]
HEAVY = (
    "torch",
    "transformers",
    "trl",
    "vllm",
    "triton",
    "datasets",
    "accelerate",
    "scipy",
    "numpy",
    "matplotlib",
    "choix",
    "openai",
    "tenacity",
)
CORE_MAY_IMPORT = {"adjudge", "pluggy", "pydantic", "pydantic_core", "yaml", "typer", "rich", "filelock"}
CORE_MAY_IMPORT_LATE = {"numpy", "pyarrow"}
STORE_MAY_IMPORT = {"numpy"}
"""Of `adjudge.store`, which no command imports before it has work to do."""
LAYERS = (
    ("errors", "version", "lazy", "stopping", "api"),
    ("host",),
    ("store", "judging"),
    ("run",),
    ("cli", "testing"),
    ("__main__",),
)
"""Folders and files of core/adjudge/, in the order in which they may import: each its own layer and those before."""


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@cache
def read(file: Path) -> tuple[str, list[tuple[ast.Import | ast.ImportFrom, bool]]]:
    """A file's first words, and every import with whether it stands inside a function."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found: list[tuple[ast.Import | ast.ImportFrom, bool]] = []

    def look(node: ast.AST, late: bool) -> None:
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.Import | ast.ImportFrom):
                found.append((inner, late))
            elif isinstance(inner, ast.stmt | ast.excepthandler | ast.match_case):  # no import stands in an expression
                look(inner, late or isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef))

    look(tree, False)
    return ast.get_docstring(tree) or "", found


def imports(file: Path) -> list[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import of a file, and whether it stands inside a function."""
    return read(file)[1]


def absolute(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Modules that an import names in full; none for a relative one."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [] if node.level else [node.module or ""]


# Source roots and imports -------------------------------------------------------------------------------------------------


def test_core_and_plugins_are_source_roots_and_not_packages() -> None:
    for folder in ("core", "plugins"):
        assert (ROOT / folder).is_dir()
        assert not (ROOT / folder / "__init__.py").exists()
    named = [
        name_of(file)
        for file in PYTHON
        for node, _ in imports(file)
        for name in absolute(node)
        if name.split(".")[0] in ("core", "plugins")
    ]
    assert named == []


def test_what_is_tested_is_this_tree() -> None:
    for name in ("adjudge", *BUILTIN):
        file = importlib.import_module(name).__file__
        assert file is not None
        assert Path(file).is_relative_to(ROOT), f"{name} comes from elsewhere: pip install -e ."


@pytest.mark.parametrize("file", CORE, ids=name_of)
def test_core_imports_the_standard_library_and_little_else(file: Path) -> None:
    for node, late in imports(file):
        for module in absolute(node):
            root = module.split(".")[0]
            allowed = CORE_MAY_IMPORT | (CORE_MAY_IMPORT_LATE if late else set())
            if file.parent.name == "store":
                allowed = allowed | STORE_MAY_IMPORT
            if file.name in ("__init__.py", "testing.py") and file.parent.name == "adjudge":
                allowed = allowed | set(BUILTIN)  # names of the API that built-ins make; imported when they are first used
            assert root in sys.stdlib_module_names or root in allowed, f"line {node.lineno} imports {module}"


def modules() -> dict[str, set[str]]:
    """Every module of core with those of core that it imports, for type checkers too; names of a package count as its modules."""
    names = {".".join(file.relative_to(ROOT / "core").with_suffix("").parts): file for file in CORE}
    known = {name.removesuffix(".__init__"): file for name, file in names.items()}
    found = {}
    for name, file in known.items():
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        targets = set()
        for node, _ in imports(file):
            if isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
                continue
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            targets |= {inner if (inner := f"{base}.{alias.name}") in known else base for alias in node.names}
        found[name] = (targets & known.keys()) - {name}
    return found


def test_no_module_of_core_imports_itself_by_a_detour() -> None:
    edges = modules()
    assert len(edges) > 30
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join([*above[above.index(name) :], name])
        if name not in done:
            for other in sorted(edges[name]):
                visit(other, (*above, name))
            done.add(name)

    for name in sorted(edges):
        visit(name, ())


def test_core_imports_in_one_order() -> None:
    place = {name: level for level, names in enumerate(LAYERS) for name in names}
    wrong = [
        f"{name} imports {other}"
        for name, others in modules().items()
        if name != "adjudge"  # it exports what all the others have
        for other in others
        if place[other.split(".")[1]] > place[name.split(".")[1]]
        or (place[other.split(".")[1]] == place[name.split(".")[1]] > 0 and other.split(".")[1] != name.split(".")[1])
    ]
    assert wrong == []
    assert {name.split(".")[1] for name in modules() if "." in name} == set(place)


def test_core_is_small() -> None:
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in CORE) <= 3700


OUTSIDE = [*PLUGINS, *(file for file in (ROOT / "contrib").rglob("*.py") if "tests" not in file.parts)]


@pytest.mark.parametrize("file", OUTSIDE, ids=name_of)
def test_a_plugin_imports_of_core_what_a_third_party_may(file: Path) -> None:
    for node, _ in imports(file):
        for module in absolute(node):
            if module.split(".")[0] == "adjudge":
                assert module in ("adjudge", "adjudge.testing"), f"line {node.lineno}: {module} is no public module"
                assert isinstance(node, ast.ImportFrom), f"line {node.lineno}: write 'from {module} import NAME'"
                public = adjudge.__all__ if module == "adjudge" else adjudge.testing.__all__
                assert {alias.name for alias in node.names} <= set(public), f"line {node.lineno} imports what adjudge does not export"


@pytest.mark.parametrize("file", PLUGINS, ids=name_of)
def test_a_plugin_imports_itself_relatively_and_of_others_only_public_names(file: Path) -> None:
    own = file.relative_to(ROOT / "plugins").parts[0]
    for node, _ in imports(file):
        for module in absolute(node):
            root, _, inside = module.partition(".")
            assert root != own, f"line {node.lineno} imports its own plugin by its full name"
            if root in BUILTIN:
                assert (type(node), inside) == (ast.ImportFrom, ""), f"line {node.lineno}: write 'from {root} import NAME'"
                public = importlib.import_module(root).__all__
                assert {alias.name for alias in node.names} <= set(public), f"line {node.lineno} imports what {root} does not export"


def test_importing_the_command_line_or_any_plugin_imports_nothing_heavy() -> None:
    code = (
        "import importlib, json, sys\n"
        "found = {}\n"
        f"for name in {['adjudge.cli.app', *BUILTIN]!r}:\n"
        "    importlib.import_module(name)\n"
        f"    found[name] = [heavy for heavy in {HEAVY!r} if heavy in sys.modules]\n"
        "from adjudge import Plugins\n"
        "Plugins.load(autoload=False)\n"
        f"found['Plugins.load'] = [heavy for heavy in {HEAVY!r} if heavy in sys.modules]\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {name: [] for name in ("adjudge.cli.app", *BUILTIN, "Plugins.load")}


def test_the_public_names_are_there_and_sorted() -> None:
    assert sorted(adjudge.__all__) == adjudge.__all__
    assert [name for name in adjudge.__all__ if not hasattr(adjudge, name)] == []
    assert set(adjudge.__all__) <= set(dir(adjudge)), "what a notebook completes"


# Files --------------------------------------------------------------------------------------------------------------------


def test_every_python_file_opens_with_a_sentence() -> None:
    first = {name_of(file): read(file)[0] for file in PYTHON}
    assert [name for name, text in first.items() if not re.match(r"\S[^.:]*\w.*[.:]", text, re.DOTALL)] == []


def test_no_file_is_long_and_most_are_short() -> None:
    lines = {name_of(file): len(file.read_text(encoding="utf-8").splitlines()) for file in PYTHON if not name_of(file).startswith("tests/")}
    assert {name: count for name, count in lines.items() if count > 400} == {}
    assert sorted(lines.values())[len(lines) // 2] <= 120


def test_nothing_is_left_as_a_promise() -> None:
    words = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    found = [name_of(file) for file in TEXTS if words.search(file.read_text(encoding="utf-8"))]
    assert found == []


def test_the_readme_is_read_in_three_minutes() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 110


def test_the_guide_for_contributors_lists_every_folder() -> None:
    listed = re.findall(r"^\| `([\w./-]+)/` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    inside = [name_of(path) for folder in ("core", "plugins", "contrib") for path in sorted((ROOT / folder).iterdir()) if path.is_dir()]
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").replace("/", "").split()
    beside = [path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name not in ignored]
    assert sorted(listed) == sorted(
        [name for name in inside if "__pycache__" not in name] + [name for name in beside if name not in ("core", "plugins", "contrib")]
    )


# The wheel ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    made = subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(ROOT)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    [file] = folder.glob("*.whl")
    return file


def test_the_wheel_holds_every_package_with_its_data_and_no_source_root(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    info = f"adjudge-{adjudge.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"adjudge", *BUILTIN, info}
    tree = {
        file.relative_to(ROOT / root).as_posix()
        for root in ("core", "plugins")
        for package in (ROOT / root).iterdir()
        if package.is_dir()
        for file in package.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert names - {name for name in names if name.startswith(info)} == tree
    assert {
        "adjudge/py.typed",
        "adjudge_scaffold/templates/path-scorer/init.py.template",
        "adjudge_judges/rrm.system.txt",
        "adjudge_report/report.html.jinja",
        "adjudge_arithmetic/model/model.safetensors",
        "adjudge_arithmetic/model/judge.json",
        f"{info}/licenses/LICENSE",
    } <= names


def test_the_wheel_declares_the_command_and_no_entry_points_for_its_own_plugins(wheel: Path) -> None:
    text = zipfile.ZipFile(wheel).read(f"adjudge-{adjudge.__version__}.dist-info/entry_points.txt").decode()
    assert text.split() == ["[console_scripts]", "adjudge", "=", "adjudge.cli.app:main"]


def test_the_wheel_works_from_a_folder_of_its_own(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import adjudge\n"
        "from adjudge import find_model, load_judge\n"
        "plugins = adjudge.Plugins.load(autoload=False)\n"
        "print(adjudge.__file__, load_judge(find_model('adjudge_arithmetic:model'), plugins).use, len(plugins.sources))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    file, judge, plugins = done.stdout.split()
    assert Path(file).is_relative_to(tmp_path)
    assert (judge, int(plugins)) == ("arithmetic", len(BUILTIN))

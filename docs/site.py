"""Builds the site from the pages of the repository: ``python docs/site.py`` writes ``build/site/html``; a broken link is an error.

Pages, and the files that they link to, are laid out as in the repository, so a link works here and there. What can be told from the
code is written beside them: the commands' own help, the Python API and the fields of records.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import itertools
import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import adjudge

HERE = Path(__file__).parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "site"
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/**/*.md", "benchmarks/README.md", "contrib/*/README.md")
LINK = re.compile(r"\]\(([^)#\s]+)")
RECORDS = ("Problem", "ReasoningPath", "Completion", "Verdict", "Score", "Match", "Ranking", "StageResult")
"""Values that are written to files, whose fields are what a record holds."""


def pages() -> list[Path]:
    """Every page of the site that lies in the repository, relative to its root."""
    return sorted({file.relative_to(ROOT) for pattern in PAGES for file in ROOT.glob(pattern)})


def linked(page: Path) -> Iterator[Path]:
    """Files, relative to the root, that a page links to."""
    for target in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            file = Path(os.path.normpath(page.parent / target))
            if (ROOT / file).is_file():
                yield file


def stage(folder: Path) -> None:
    """Lay pages and what they link to out in a folder, with the generated reference."""
    shutil.rmtree(folder, ignore_errors=True)
    here = pages()
    for file in {*here, Path("docs/site.css"), Path("docs/iframe-worker.js"), *(file for page in here for file in linked(page))}:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, folder / file)
    for page in here:
        (folder / page).write_text(unbroken((ROOT / page).read_text(encoding="utf-8")), encoding="utf-8")
    for file in ROOT.glob("docs/notebooks/*.ipynb"):
        (folder / "docs/notebooks").mkdir(exist_ok=True)
        (folder / "docs/notebooks" / f"{file.stem}.md").write_text(notebook_page(file), encoding="utf-8")
    (folder / "reference").mkdir()
    for name, text in {"commands": commands_page(), "python": python_page(), "records": records_page()}.items():
        (folder / "reference" / f"{name}.md").write_text(text, encoding="utf-8")


def unbroken(text: str) -> str:
    """A page in whose tables a number and its interval stay on one line."""
    return re.sub(r"^\|.*", lambda row: row[0].replace(" ± ", "\u00a0±\u00a0"), text, flags=re.MULTILINE)


def notebook_page(file: Path) -> str:
    """A notebook that was run, as a page: its texts, its code, and what each cell showed."""
    parts = []
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {"text/plain": output.get("text", "")})
            html, plain = "".join(data.get("text/html", "")), "".join(data.get("text/plain", ""))
            parts.append(f'<div class="shown">{html}</div>' if html else f"```text\n{plain.strip()}\n```")
    return "\n\n".join(parts) + "\n"


def commands_page() -> str:
    """What ``adjudge COMMAND --help`` prints, for each command."""
    import typer
    from typer.testing import CliRunner

    from adjudge.cli.app import app_of

    app = app_of(adjudge.Plugins.load())
    group = typer.main.get_command(app)
    names = group.list_commands(typer.Context(group))  # type: ignore[attr-defined]
    shown = CliRunner(env={"COLUMNS": "110", "NO_COLOR": "1", "TERM": "dumb"})
    parts = ["# Commands and their options", "What `--help` prints. [Commands](../docs/commands.md) is a tour; exit codes stand there."]
    for name in names:
        parts.append(f"## {name}\n\n```text\n{shown.invoke(app, [name, '--help'], prog_name='adjudge').stdout.strip()}\n```")
    return "\n\n".join(parts) + "\n"


def python_page() -> str:
    """Every public name of `adjudge`, from its docstring."""
    parts = ["# Python API", "Every name in `adjudge.__all__`. [From Python](../docs/python.md) shows how they go together."]
    return "\n\n".join([*parts, *(f"::: adjudge.{name}" for name in sorted(adjudge.__all__))]) + "\n"


def records_page() -> str:
    """Fields of the values that records are made of."""
    parts = [
        "# Records",
        "What the files of a run and of a judging command hold: a line of JSON with these fields. Numbers of each token lie beside them in"
        " Arrow files ([decision 0028](../docs/decisions/0028-token-files.md)); `adjudge export --to parquet` joins both.",
    ]
    for name in RECORDS:
        value: Any = getattr(adjudge, name)
        docs = docs_of(value)
        rows = [f"| `{field.name}` | `{field.type}` | {docs.get(field.name, '')} |" for field in dataclasses.fields(value)]
        parts.append("\n".join([f"## {name}", "", value.__doc__ or "", "", "| field | type | meaning |", "| --- | --- | --- |", *rows]))
    return "\n\n".join(parts) + "\n"


def list_for_models(folder: Path) -> str:
    """Every page with its title and its first sentence, as ``llms.txt``: https://llmstxt.org."""
    lines = ["# adjudge", "", "> " + _opening(folder / "README.md"), "", "## Pages", ""]
    for file in sorted([*(folder / page for page in pages()), *(folder / "reference").glob("*.md")]):
        title = file.read_text(encoding="utf-8").split("\n", maxsplit=1)[0].removeprefix("# ")
        place = file.relative_to(folder).with_suffix(".html").as_posix()
        lines.append(f"- [{title}]({'index.html' if place == 'README.html' else place}): {_opening(file)}")
    return "\n".join(lines) + "\n"


def _opening(file: Path) -> str:
    """A page's first sentence of prose."""
    parts = file.read_text(encoding="utf-8").split("\n\n")[1:]
    prose = next((part for part in parts if not part.startswith(("<!--", "```", "|", "#", ">"))), "")
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)|[*`]", r"\1", " ".join(prose.split()))
    return re.split(r"(?<=[.])\s", plain.removeprefix("Problem. "), maxsplit=1)[0]


def docs_of(value: type) -> dict[str, str]:
    """What stands below each field of a dataclass."""
    body = ast.parse(inspect.getsource(value)).body[0].body  # type: ignore[attr-defined]
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }


def unfolded(nav: Any, folder: Path) -> Any:
    """The navigation, with the pages of a folder in the place of a pattern."""
    if isinstance(nav, dict):
        return {name: unfolded(part, folder) for name, part in nav.items()}
    if isinstance(nav, list):
        parts = (unfolded(part, folder) for part in nav)
        return [one for part in parts for one in (part if isinstance(part, list) else [part])]
    found = sorted(file.relative_to(folder).as_posix() for file in folder.glob(nav)) if "*" in nav else []
    return [file for file in found if file.endswith(".md")] or nav


def main() -> None:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    from mkdocs.exceptions import Abort

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=BUILD, help="a folder; pages and html are written below it")
    to = parser.parse_args().to
    folder = to / "pages"
    stage(folder)
    config = load_config(str(HERE / "mkdocs.yml"), docs_dir=str(folder), site_dir=str(to / "html"))
    config.nav = unfolded(config.nav, folder)
    config.plugins.run_event("startup", command="build", dirty=False)
    try:
        build(config)
        (to / "html" / "llms.txt").write_text(list_for_models(folder), encoding="utf-8")
    except Abort as error:
        sys.exit(str(error))
    finally:
        config.plugins.run_event("shutdown")


if __name__ == "__main__":
    main()

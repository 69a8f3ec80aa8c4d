"""Writes docs/hooks.md, docs/options.md and the list of decisions, tables from ``benchmarks/results/`` into the pages, and the pictures.

``python docs/generate.py`` writes, ``--check`` finds out whether everything is current. Only what adjudge itself ships is written
down, so the pages do not depend on what else is installed.
"""

from __future__ import annotations

import ast
import inspect
import re
import runpy
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from adjudge import (
    KINDS,
    Budget,
    Command,
    Component,
    EvaluationConfig,
    Plugins,
    RunConfig,
    RunInfo,
    Session,
    StageContext,
    Voting,
    field_docs,
)
from adjudge.api import hooks
from adjudge_data import MixPart
from adjudge_engines import StopBelow
from adjudge_judges import ScorePatterns, VerdictPatterns
from adjudge_policy import JudgeReward, LabelReward, MajorityReward
from adjudge_rewards import RewardConfig
from adjudge_soft import Criterion, Member
from adjudge_trl import Lora

HERE = Path(__file__).parent
BENCHMARKS = HERE.parent / "benchmarks"
NOTE = "<!-- Written by docs/generate.py; change the code it is made from, then run `make docs`. -->"
BOUNDS = {"gt": "> {}", "ge": "≥ {}", "lt": "< {}", "le": "≤ {}", "min_length": "at least {}"}
WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    Any: "value",
    EvaluationConfig: "see below",
    Lora: "see below",
    StopBelow: "see below",
    VerdictPatterns: "see below",
    ScorePatterns: "see below",
    MixPart: "part",
    Member: "judge",
    Voting: "see below",
    Budget: "see below",
    JudgeReward: "`judge`, see below",
    LabelReward: "`label`",
    MajorityReward: "`majority`",
}


# docs/hooks.md ------------------------------------------------------------------------------------------------------------


def hooks_page(plugins: Plugins) -> str:
    """Every hook with its signature, its meaning, what it leads to, and who of the built-in plugins uses it."""
    return _joined(
        "# Hooks",
        NOTE,
        "A plugin is a module whose functions have these names and are marked with `@adjudge.hookimpl`. No hook is `firstresult`: "
        "[decision 0002](decisions/0002-hooks-return-classes.md) says why. To start one: `adjudge new-plugin NAME`, or the "
        "[tutorial](tutorial.md). [kinds/](kinds/README.md) has a page for each kind of component, with a whole plugin on it.",
        "## Registration hooks",
        "Asked once, when plugins are loaded or when a kind is first needed. Each returns component classes, or commands. A component is "
        "picked by its `use` in the run file, is frozen, and checks its own options. What ships with adjudge is listed in "
        "[options.md](options.md).",
        *(part for name in hook_names() if registers(name) for part in _hook(name, plugins)),
        "## Observe hooks",
        "Told what happens in a run. What they return is ignored; one that raises is reported on standard error and stops nothing. "
        "Take only the arguments you need. A plugin's module hears of every run; the object that a reporter's `start` returns "
        "hears of its own run only, and has its `close()` called however that run ends.",
        *(part for name in hook_names() if not registers(name) for part in _hook(name, plugins)),
        "## What a stage offers",
        f"`adjudge.StageContext`, which trainers, launchers and observers are given: {inspect.cleandoc(StageContext.__doc__ or '')}",
        *_members(StageContext),
        "## What a run offers",
        f"`adjudge.RunInfo`, which reporters and observers are given: {inspect.cleandoc(RunInfo.__doc__ or '')}",
        *_members(RunInfo),
    )


def hook_names() -> list[str]:
    """All hooks, in the order of the file that specifies them."""
    return [name for name, value in vars(hooks).items() if inspect.isfunction(value) and hasattr(value, "adjudge_spec")]


def registers(hook: str) -> bool:
    """Whether it is asked for components or commands; the others are told what happens."""
    return hook.startswith("register_")


def _hook(name: str, plugins: Plugins) -> Iterator[str]:
    function = getattr(hooks, name)
    yield f"### `{name}{signature(function)}`"
    yield inspect.cleandoc(function.__doc__ or "")
    if name == "register_commands":
        yield f"The value, `adjudge.{signature_of_class(Command)}`: {inspect.cleandoc(Command.__doc__ or '')}"
    for kind in (kind for kind in KINDS if kind.hook == name):
        yield f"The component, `adjudge.{kind.__name__}`: {inspect.cleandoc(kind.__doc__ or '')}"
        yield from _verbs(kind)
        if kind.__name__ == "Engine":
            yield f"The session, `adjudge.Session`: {inspect.cleandoc(Session.__doc__ or '')}"
            yield from _verbs(Session)
    yield f"Implemented by {', '.join(f'`{place}`' for place in users(name, plugins))}."


def _verbs(cls: type) -> Iterator[str]:
    for name, value in vars(cls).items():
        if inspect.isfunction(value) and not name.startswith("_"):
            yield f"- `{name}{signature(value)}`\n\n" + _indented(inspect.cleandoc(value.__doc__ or ""))


def _members(cls: type) -> Iterator[str]:
    """Attributes and properties of a protocol with what is said of them, then its methods."""
    [tree] = ast.parse(inspect.getsource(cls)).body
    assert isinstance(tree, ast.ClassDef)
    attributes = []
    for node, below in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign):
            attributes.append((ast.unparse(node.target), ast.unparse(node.annotation), _docstring(below)))
        elif isinstance(node, ast.FunctionDef) and isinstance(getattr(cls, node.name), property):
            attributes.append((node.name, ast.unparse(node.returns) if node.returns else "", _docstring(node.body[0])))
    yield "\n".join(f"- `{name}: {kind}`" + (f": {said}" if said else "") for name, kind, said in attributes)
    yield from _verbs(cls)


def _docstring(node: ast.stmt | None) -> str:
    """The text of a statement that is nothing but a text, on one line."""
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return " ".join(text.split())
    return ""


def signature(function: Callable[..., Any]) -> str:
    """Arguments without `self`, and what is returned, as the source has them."""
    found = inspect.signature(function)
    arguments = [argument for name, argument in found.parameters.items() if name != "self"]
    text = re.sub(r"<class '(\w+)'>", r"\1", str(found.replace(parameters=arguments)))
    text = re.sub(r"\b(collections\.abc|typing)\.", "", text)
    return re.sub(r"'(.+?)'", r"\1", text).replace("''", '""')


def signature_of_class(cls: type) -> str:
    """Name and arguments, as in a call."""
    return cls.__name__ + signature(cls).removesuffix(" -> None")


def users(hook: str, plugins: Plugins) -> list[str]:
    """Files of built-in plugins that implement a hook."""
    found = []
    for source in plugins.sources:
        folder = Path(str(sys.modules[source.plugin].__file__)).parent
        for file in sorted(folder.rglob("*.py")):
            if hook in _implemented(file):
                found.append(f"{folder.name}/{file.relative_to(folder).as_posix()}".removesuffix("/__init__.py"))
    return found


@cache
def _implemented(file: Path) -> set[str]:
    """Names of the functions in a file that are marked `@hookimpl`."""
    functions = (node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef))
    return {node.name for node in functions if any(ast.unparse(one).startswith("hookimpl") for one in node.decorator_list)}


# docs/options.md ----------------------------------------------------------------------------------------------------------


def options_page(plugins: Plugins) -> str:
    """The run file's fields, and every built-in component with its options."""
    return _joined(
        "# Options",
        NOTE,
        "A run file is YAML. Where a field asks for a component, write `{use: NAME, option: value}`, or just `NAME` when every option "
        "stays at its default. `adjudge plugins` also lists what other distributions add, and `adjudge schema` prints a JSON Schema "
        "from which an editor completes all of this.",
        "## The run file",
        _summary(RunConfig),
        _table(RunConfig),
        "### `evaluation`",
        _summary(EvaluationConfig),
        _table(EvaluationConfig),
        "## The file of a reward",
        _summary(RewardConfig),
        _table(RewardConfig),
        "### `voting`, in `adjudge rank` and rewards",
        _summary(Voting),
        _table(Voting),
        "### `budget`, in `adjudge rank` and rewards",
        _summary(Budget),
        _table(Budget),
        "### `parts`, in `mix`",
        _summary(MixPart),
        _table(MixPart),
        "### `verdict`, in `template`",
        _summary(VerdictPatterns),
        _table(VerdictPatterns),
        "### `score`, in `template`",
        _summary(ScorePatterns),
        _table(ScorePatterns),
        "### `judges`, in `cascade` and `panel`",
        _summary(Member),
        _table(Member),
        "### `criteria`, in `rubric`",
        _summary(Criterion),
        _table(Criterion),
        "### `reward`, in `policy`",
        _summary(JudgeReward),
        _table(JudgeReward),
        f"In its place: `label`, {_summary(LabelReward)[0].lower()}{_summary(LabelReward)[1:]}",
        f"Or `majority`, {_summary(MajorityReward)[0].lower()}{_summary(MajorityReward)[1:]}",
        "### `stop_below`, in `hf`",
        _summary(StopBelow),
        _table(StopBelow),
        "### `lora`, in `grpo`, `policy` and `sft`",
        _summary(Lora),
        _table(Lora),
        *(part for kind in KINDS for part in _kind(kind, plugins)),
    )


def _kind(kind: type[Component], plugins: Plugins) -> Iterator[str]:
    yield f"## {_plural(kind)[0].upper()}{_plural(kind)[1:]}"
    yield _summary(kind) + (f" Options without `use` are those of `{kind.default}`." if kind.default else "")
    for name, entry in plugins.of_kind(kind).items():
        yield f"### `{name}`"
        yield f"{_summary(entry.cls)} From `{entry.source.plugin}` in the distribution `{entry.source.distribution}`."
        yield _table(entry.cls)


def _table(cls: type[BaseModel]) -> str:
    cls.model_rebuild()
    fields, docs = {name: field for name, field in cls.model_fields.items() if name != "use"}, field_docs(cls)
    if not fields:
        return "No options."
    rows = [
        f"| `{name}` | {_cell(_type(field.annotation, field.metadata))} | {_default(field)} | {_cell(docs.get(name, ''))} |"
        for name, field in fields.items()
    ]
    return "\n".join(["| option | type | default | meaning |", "|---|---|---|---|", *rows])


def _type(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """A field's type in words, with its bounds."""
    words = _bare_type(annotation)
    bounds = [text.format(getattr(item, name)) for item in metadata for name, text in BOUNDS.items() if hasattr(item, name)]
    return ", ".join([words, *bounds])


def _bare_type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner = [item for note in arguments[1:] for item in (note.metadata if isinstance(note, FieldInfo) else [note])]
        return _type(arguments[0], inner)
    if origin is Literal:
        return _or([f"`{_flow(value)}`" for value in arguments])
    if origin in (Union, types.UnionType):
        return _or(["none" if one is type(None) else _bare_type(one) for one in arguments])
    if origin in (list, tuple):
        return "list of criteria" if arguments[0] is Criterion else f"list of {_plural(arguments[0])}"
    if origin is dict:
        return f"mapping of names to {_plural(arguments[1])}"
    return _plain(annotation)


def _or(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _plain(annotation: Any) -> str:
    return str(annotation.kind) if issubclass(annotation, Component) else WORDS[annotation]


def _plural(annotation: Any) -> str:
    return _bare_type(annotation) + "s"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    return f"`{_flow(_short(field.get_default(call_default_factory=True)))}`"


def _short(value: Any) -> Any:
    """A default as one would write it: a component whose options are all at their defaults is its name."""
    if isinstance(value, Component):
        return value.use if not value.model_dump(exclude_defaults=True) else to_jsonable_python(value)
    if isinstance(value, list):
        return [_short(item) for item in value]
    if isinstance(value, dict) and set(value) == {"use"}:
        return value["use"]
    return to_jsonable_python(value)


def _flow(value: Any) -> str:
    """A value as YAML of one line."""
    style = '"' if isinstance(value, str) and "\n" in value else None
    text: str = yaml.safe_dump(value, default_flow_style=True, default_style=style, allow_unicode=True, width=1000)
    return text.removesuffix("...\n").strip()


def _summary(cls: type) -> str:
    return inspect.cleandoc(cls.__doc__ or "").split("\n\n", maxsplit=1)[0].replace("\n", " ")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# Both ---------------------------------------------------------------------------------------------------------------------


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


RESULT = re.compile(r"(<!-- (results/\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
"""A place in a page that holds a table from a result file: ``<!-- results/NAME.md -->``, the table, ``<!-- end -->``."""


def with_results(text: str) -> str:
    """The text with every measured table as its result file has it."""
    return RESULT.sub(lambda found: f"{found[1]}\n{(BENCHMARKS / found[2]).read_text(encoding='utf-8')}\n{found[3]}", text)


def decisions_page(plugins: Plugins) -> str:
    """Every decision by its title."""
    lines = []
    for file in sorted((HERE / "decisions").glob("[0-9]*.md")):
        number, title = file.read_text(encoding="utf-8").split("\n", maxsplit=1)[0].removeprefix("# ").split(": ", maxsplit=1)
        lines.append(f"- [{number}]({file.name}): {title}")
    return _joined("# Decisions", NOTE, "What was decided, why, and what was not taken instead.", "\n".join(lines))


PAGES: dict[str, Callable[[Plugins], str]] = {
    "hooks.md": hooks_page,
    "options.md": options_page,
    "decisions/README.md": decisions_page,
}


@cache
def generated() -> dict[str, str]:
    """Every page's text by its name; the code it is made from stays as it is while this process runs."""
    plugins = Plugins.load(autoload=False)
    return {name: page(plugins) for name, page in PAGES.items()}


def main(arguments: Sequence[str], folder: Path = HERE) -> int:
    """Write the pages; with ``--check`` write nothing and return 1 when one is stale."""
    stale = []
    for name, text in generated().items():
        file = folder / name
        if "--check" not in arguments:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        elif not file.is_file() or file.read_text(encoding="utf-8") != text:
            stale.append(f"docs/{name}")
    readmes = [file for file in (folder.parent / "README.md", folder.parent / "benchmarks" / "README.md") if file.is_file()]
    for file in [*readmes, *sorted(file for file in folder.rglob("*.md") if file.name not in PAGES)]:
        text = file.read_text(encoding="utf-8")
        if "--check" not in arguments:
            file.write_text(with_results(text), encoding="utf-8")
        elif with_results(text) != text:
            stale.append(file.relative_to(folder.parent).as_posix())
    for name in stale:
        print(f"{name} is stale: run 'make docs'", file=sys.stderr)
    drawn = runpy.run_path(str(HERE / "pictures" / "draw.py"))["main"](arguments, folder / "pictures")
    return 1 if stale or drawn else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

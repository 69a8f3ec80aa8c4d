"""Writes the model card of every model that a stage saves: what it learned from, how it was made, what it can do, how to load it.

The numbers are the stage's own evaluation; the judge that the run began with stands beside them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Literal

from adjudge import FAILURES, Reporter, RunInfo, StageContext, StageResult, dump, hookimpl, write_whole

from .page import check_libraries
from .wording import interval, measures, number, percent

PLACEHOLDER = [{"role": "user", "content": "..."}]


class Card(Reporter):
    """A model card, README.md, beside the weights of every stage's model."""

    use: Literal["card"] = "card"

    def start(self, run: RunInfo) -> CardObserver:
        check_libraries(self.use, "jinja2")
        return CardObserver()


@dataclass(frozen=True)
class CardObserver:
    """Observes a run for `Card`."""

    @hookimpl
    def stage_finished(self, run: RunInfo, stage: StageContext, result: StageResult) -> None:
        """Write the card, unless the model is not the stage's own: the base model's folder is somebody else's."""
        if result.model.resolve().is_relative_to(stage.folder.resolve()):
            write_whole(result.model / "README.md", model_card(run, stage, result))


def model_card(run: RunInfo, stage: StageContext, result: StageResult) -> str:
    """The card's text, headed by metadata for model hubs where huggingface_hub is installed."""
    evaluation = result.metrics.get("evaluation", {})
    body = _template().render(
        name=_name(run, stage),
        stage=stage,
        run=run,
        config=dump(run.config),
        recipe=_yaml(_recipe(run, stage)),
        rows=list(_rows(run, stage.name, evaluation)),
        failures=FAILURES,
        metrics="\n".join(f"{name}: {number(value)}" for name, value in result.metrics.items() if name != "evaluation"),
        messages=_example(stage),
        below=_below(result.model),
    )
    return f"{_metadata(run, stage, evaluation)}{body}"


def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(FilePath(__file__).parent)
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.filters.update(percent=percent, interval=interval, number=number, fenced=fenced, cell=cell)
    return environment.get_template("card.md.jinja")


def _name(run: RunInfo, stage: StageContext) -> str:
    return f"{run.folder.resolve().name}-{stage.name}"


def _metadata(run: RunInfo, stage: StageContext, evaluation: Mapping[str, Any]) -> str:
    """The YAML head that model hubs read; none without huggingface_hub, whose library for model cards knows its form."""
    try:
        from huggingface_hub import EvalResult, ModelCardData
    except ImportError:
        return ""
    results = [
        EvalResult("text-generation", name, name, "accuracy", round(found["accuracy"], 6), metric_name="pairwise accuracy")
        for name, found in evaluation.items()
        if found.get("accuracy") is not None
    ]
    data = ModelCardData(
        model_name=_name(run, stage),
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["adjudge", "reward-model", "judge", *(item.use for item in run.config.stages[: stage.index])],
        eval_results=results or None,
    )
    return f"---\n{data.to_yaml()}\n---\n\n"


def _recipe(run: RunInfo, stage: StageContext) -> dict[str, Any]:
    """The part of the run file that made this model: every stage up to this one."""
    config = dump(run.config)
    kept = {key: config[key] for key in ("model", "data", "stages", "engine", "seed")}
    return {**kept, "stages": config["stages"][: stage.index], "judge": dump(run.judge)}


def _rows(run: RunInfo, stage: str, evaluation: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any], dict[str, float | None]]]:
    """Set, stage, evaluation and measures: the base judge's above this one's."""
    base = run.results[0]["evaluation"] if run.results else {}
    for name, found in evaluation.items():
        if name in base:
            yield name, "0-base", base[name], measures(base[name])
        yield name, stage, found, measures(found)


def _example(stage: StageContext) -> str:
    """The judge's prompt about a training problem, as Python; a placeholder where the stage was given none."""
    from pprint import pformat

    messages = stage.judge.render(stage.problems[0], "given") if stage.problems else PLACEHOLDER
    return pformat(messages, width=100, sort_dicts=False)


def _below(folder: FilePath) -> str | None:
    """The model that a folder of adapters is for; None for a whole model."""
    file = folder / "adapter_config.json"
    return str(json.loads(file.read_text(encoding="utf-8"))["base_model_name_or_path"]) if file.exists() else None


def _yaml(data: Any) -> str:
    import yaml

    return str(yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False, allow_unicode=True))


def fenced(text: str, language: str = "") -> str:
    """A Markdown code block that no backticks inside the text can end."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def cell(text: Any) -> str:
    """A text inside a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ")

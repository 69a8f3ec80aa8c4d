"""The run file: what may stand in it, how ``--set`` changes it, how its mistakes are told."""

import re
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any, Self

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from adjudge.api.kinds import Dataset, Engine, Judge, RewardRule
from adjudge.api.options import Options, named_once
from adjudge.api.stages import Launcher, Reporter, StageTrainer
from adjudge.errors import ConfigError


class EvaluationConfig(Options):
    """What every stage's judge is measured on."""

    sets: dict[Annotated[str, Field(pattern=r"^[\w.-]+$")], Dataset] = {}
    """Labelled data sets by the name they have in tables."""
    measures: Annotated[list[RewardRule], AfterValidator(named_once)] = []
    """Rules whose mean over the judgements is reported beside the accuracy; a rule that returns None is left out."""


REPORTERS = ["progress", "html", "card"]


def _installed(names: Any, info: ValidationInfo) -> Any:
    """The default reporters without those that are blocked or not installed; what a run file names is taken as it stands."""
    plugins = (info.context or {}).get("plugins")
    return names if names is not REPORTERS or plugins is None else [name for name in names if name in plugins.of_kind(Reporter)]


class RunConfig(Options):
    """A run: a judge's model, taken through stages of training, and measured before and after each."""

    without_effect = frozenset({"max_failed"})
    out: FilePath
    """Run folder, made when missing; the same run file in the same folder goes on where it stopped."""
    model: str
    """Model folder, GGUF file, id of a hub's model in the local cache, or ``package:folder`` of an installed package."""
    data: Dataset
    """Problems to train on."""
    stages: list[StageTrainer]
    """Stages in order; each starts from the previous one's model."""
    judge: Judge | None = None
    """How to judge; None = as the model's own ``judge.json`` says."""
    engine: Engine = Field(default_factory=lambda: {"use": "hf"}, validate_default=True)
    """Where completions come from."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """What every stage's judge is measured on."""
    reporters: Annotated[list[Reporter], BeforeValidator(_installed)] = Field(default_factory=lambda: REPORTERS, validate_default=True)
    """Who watches the run; where none are named, those of ``progress``, ``html`` and ``card`` that are installed."""
    requires: list[str] = []
    """Plugins or distributions without which the run must not start."""
    launch: Launcher | None = None
    """Training and evaluation in several processes, through ``accelerate launch`` unless `use` says otherwise; none = in this one."""
    max_failed: Annotated[float, Field(ge=0, le=1)] = 0
    """Share of a stage's calls that it may train without, each failed twice; with more it ends, and the same command makes them again."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Every random choice of the run follows from this number."""

    @field_validator("reporters")
    @classmethod
    def _each_once(cls, reporters: list[Reporter]) -> list[Reporter]:
        for index, reporter in enumerate(reporters):
            if reporter in reporters[:index]:
                raise ValueError(f"{reporter.use!r} stands there twice with the same options; once is enough")
        return reporters

    def tolerant(self) -> Self:
        """The same run on data sets that leave out the rows that cannot be used."""
        sets = {name: dataset.tolerant() for name, dataset in self.evaluation.sets.items()}
        return self.model_copy(update={"data": self.data.tolerant(), "evaluation": self.evaluation.model_copy(update={"sets": sets})})


class _EachKeyOnce(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[tuple[str, str], yaml.Node] = {}
        for key, _ in node.value:
            if (first := seen.setdefault((key.tag, str(key.value)), key)) is not key:
                raise yaml.MarkedYAMLError(f"the key {key.value!r} stands there", first.start_mark, "and there again", key.start_mark)
        return super().construct_mapping(node, deep)


def load_yaml(text: str, where: str) -> Any:
    """What YAML says; a `ConfigError` that begins with `where` for what is none, and where a mapping has a key twice."""
    try:
        return yaml.load(text, _EachKeyOnce)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not YAML: {error}") from None


def override(data: dict[str, Any], sets: Sequence[str]) -> dict[str, Any]:
    """Apply ``a.b=c`` settings, values read as YAML; list items are addressed by number, and what is whole is set before its parts.

    Another name for a component, as in ``judge.use=rrm``, drops the options of the one that stood there."""
    settings = [_parsed(setting) for setting in sets]
    for keys, value, setting in sorted(settings, key=lambda one: len(one[0]) - (one[0][-1] == "use")):
        _assign(data, keys, value, setting)
    return data


def _parsed(setting: str) -> tuple[list[str], Any, str]:
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise ConfigError(f"--set {setting}: write it as a.b=value, for example --set stages.0.steps=20")
    return path.split("."), load_yaml(text, f"--set {setting}: {text!r}"), setting


def _assign(data: Any, keys: list[str], value: Any, setting: str) -> None:
    for depth, key in enumerate(keys):
        index: Any = int(key) if isinstance(data, list) and re.fullmatch(r"\d+", key) else key
        if isinstance(data, list) and not (isinstance(index, int) and index < len(data)):
            raise ConfigError(f"--set {setting}: {'.'.join(keys[:depth])} is a list of {len(data)}; {key!r} is none of its numbers")
        if not isinstance(data, list | dict):
            raise ConfigError(f"--set {setting}: {'.'.join(keys[:depth])} is a plain value and has no field {key!r}")
        if depth == len(keys) - 1:
            if index == "use" and isinstance(data, dict) and data.get("use", value) != value:
                data.clear()
            data[index] = value
            return
        if isinstance(data, dict) and (data.get(index) is None or isinstance(data[index], str)):
            data[index] = {"use": data[index]} if data.get(index) else {}
        data = data[index]

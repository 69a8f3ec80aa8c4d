"""The run file: what may stand in it, how it is read, how its mistakes are told, and its JSON Schema for editors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError, field_validator

from .components import KINDS, Component, Dataset, Engine, Judge, Options, Reporter, RewardRule, StageTrainer, named_once
from .errors import ConfigError
from .launch import Launch
from .manager import Plugins


class EvaluationConfig(Options):
    """What every stage's judge is measured on."""

    sets: dict[Annotated[str, Field(pattern=r"^[\w.-]+$")], Dataset] = {}
    """Labelled data sets by the name they have in tables."""
    measures: Annotated[list[RewardRule], AfterValidator(named_once)] = []
    """Rules whose mean over the judgements is reported beside the accuracy; a rule that returns None is left out."""


class RunConfig(Options):
    """A run: a judge's model, taken through stages of training, and measured before and after each."""

    out: FilePath
    """Run folder, made when missing; the same run file in the same folder goes on where it stopped."""
    model: str
    """Model folder, or ``package:folder`` for one that an installed package ships, as ``adjudge_arithmetic:model``."""
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
    reporters: list[Reporter] = Field(default_factory=lambda: ["progress", "html", "card"], validate_default=True)
    """Who watches the run."""
    requires: list[str] = []
    """Plugins or distributions without which the run must not start."""
    launch: Launch | None = None
    """Training and evaluation over several processes through ``accelerate launch``; none = in this process."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Every random choice of the run follows from this number."""

    @field_validator("reporters")
    @classmethod
    def _each_once(cls, reporters: list[Reporter]) -> list[Reporter]:
        for index, reporter in enumerate(reporters):
            if reporter in reporters[:index]:
                raise ValueError(f"{reporter.use!r} stands there twice with the same options; once is enough")
        return reporters


def read_run_file(file: FilePath, sets: Sequence[str], plugins: Plugins) -> RunConfig:
    """Read, override (``a.b=c``), and validate a run file; every mistake in one `ConfigError`."""
    return validate(RunConfig, override(_read_yaml(file), sets), plugins, str(file))


def _read_yaml(file: FilePath) -> dict[str, Any]:
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such run file.\n  Remedy: check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not YAML: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: a run file is a mapping of fields to values, not {type(data).__name__}")
    return data


def override(data: dict[str, Any], sets: Sequence[str]) -> dict[str, Any]:
    """Apply ``a.b=c`` settings, values read as YAML; list items are addressed by number."""
    for setting in sets:
        path, equals, text = setting.partition("=")
        if not equals or not path:
            raise ConfigError(f"--set {setting}: write it as a.b=value, for example --set stages.0.steps=20")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"--set {setting}: {text!r} is not a YAML value") from None
        _assign(data, path.split("."), value, setting)
    return data


def _assign(data: Any, keys: list[str], value: Any, setting: str) -> None:
    for depth, key in enumerate(keys):
        index: Any = int(key) if isinstance(data, list) and re.fullmatch(r"\d+", key) else key
        if isinstance(data, list) and not (isinstance(index, int) and index < len(data)):
            raise ConfigError(f"--set {setting}: {'.'.join(keys[:depth])} is a list of {len(data)}; {key!r} is none of its numbers")
        if not isinstance(data, list | dict):
            raise ConfigError(f"--set {setting}: {'.'.join(keys[:depth])} is a plain value and has no field {key!r}")
        if depth == len(keys) - 1:
            data[index] = value
        elif isinstance(data, list):
            data = data[index]
        else:
            if isinstance(data.get(index), str):
                data[index] = {"use": data[index]}
            data = data.setdefault(index, {})


Model = TypeVar("Model", bound=BaseModel)


def validate(cls: type[Model], data: Any, plugins: Plugins, where: str) -> Model:
    """Validate with these plugins; mistakes come back as one readable `ConfigError`."""
    try:
        return cls.model_validate(data, context={"plugins": plugins})
    except ValidationError as error:
        raise ConfigError(explain(error, where)) from None


def explain(error: ValidationError, where: str) -> str:
    """Every mistake on a line: place, what is wrong."""
    lines = [f"{where} is not valid:"]
    for item in error.errors(include_url=False):
        place = ".".join(str(part) for part in item["loc"]) or "(top)"
        lines.append(f"  {place}: {item['msg']}")
    return "\n".join(lines)


def dump(config: BaseModel) -> dict[str, Any]:
    """A configuration with its defaults filled in, as plain JSON values."""
    return config.model_dump(mode="json", serialize_as_any=True)


def json_schema(plugins: Plugins) -> dict[str, Any]:
    """JSON Schema of a run file over the installed components, for editors."""
    schema = RunConfig.model_json_schema()
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    for kind in KINDS:
        entries = plugins.of_kind(kind)
        refs = {name: _add_component(definitions, entry.cls) for name, entry in entries.items()}
        alone = [name for name, entry in entries.items() if not any(option.is_required() for option in entry.cls.model_fields.values())]
        definitions[kind.__name__] = {
            "oneOf": [{"$ref": ref} for ref in refs.values()] + [{"enum": alone}],
            "description": f"Any {kind.kind}; or just its name, with every option at its default.",
        }
    linked: dict[str, Any] = _link(schema)
    return linked


def _add_component(definitions: dict[str, Any], cls: type[Component]) -> str:
    name = f"{cls.__module__}.{cls.__qualname__}"
    own = cls.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    definitions.update({f"{name}.{inner}": definition for inner, definition in own.pop("$defs", {}).items()})
    own["required"] = sorted({*own.get("required", []), "use"})
    definitions[name] = own
    return f"#/$defs/{name}"


def _link(schema: Any) -> Any:
    """Every placeholder for a kind as a reference to its definition."""
    if isinstance(schema, list):
        return [_link(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    linked = {key: _link(value) for key, value in schema.items() if key != "x-kind"}
    return {**linked, "$ref": f"#/$defs/{schema['x-kind']}"} if "x-kind" in schema else linked

"""``adjudge schema``: JSON Schema of a run file over the installed components, for editors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from adjudge import Component, Plugins

EXAMPLE = "Example: adjudge schema > run.schema.json"


def schema() -> None:
    """Print the JSON Schema of a run file over the installed components."""
    from adjudge import Plugins

    typer.echo(json.dumps(json_schema(Plugins.load()), indent=2, ensure_ascii=False))


def json_schema(plugins: Plugins) -> dict[str, Any]:
    """JSON Schema of a run file over these components."""
    from adjudge import KINDS, RunConfig

    schema = RunConfig.model_json_schema()
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    for kind in KINDS:
        entries = plugins.of_kind(kind)
        refs = {name: _add_component(definitions, kind, entry.cls) for name, entry in entries.items()}
        alone = [name for name, entry in entries.items() if not any(option.is_required() for option in entry.cls.model_fields.values())]
        definitions[kind.__name__] = {
            "oneOf": [{"$ref": ref} for ref in refs.values()] + [{"enum": alone}],
            "description": f"Any {kind.kind}; or just its name, with every option at its default.",
        }
    linked: dict[str, Any] = _link(schema)
    return linked


def _add_component(definitions: dict[str, Any], kind: type[Component], cls: type[Component]) -> str:
    name = f"{cls.__module__}.{cls.__qualname__}"
    own = cls.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    definitions.update({f"{name}.{inner}": definition for inner, definition in own.pop("$defs", {}).items()})
    own["required"] = sorted({*own.get("required", []), *([] if kind.default == cls.name() else ["use"])})
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

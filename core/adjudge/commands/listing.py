"""``adjudge plugins`` and ``adjudge schema``: what is installed, for people, for programs and for editors."""

from __future__ import annotations

import json

import typer

from .options import AsJson
from .show import print_table

PLUGINS_EXAMPLE = "Example: adjudge plugins --json"
SCHEMA_EXAMPLE = "Example: adjudge schema > run.schema.json"


def plugins(as_json: AsJson = False) -> None:
    """List the installed components, and the plugins that are broken or blocked."""
    from adjudge.manager import Plugins

    found = Plugins.load()
    rows = [
        {
            "kind": kind,
            "name": name,
            "doc": entry.doc,
            "plugin": entry.source.plugin,
            "distribution": entry.source.distribution,
            "version": entry.source.version,
        }
        for (kind, name), entry in sorted(found.entries.items())
    ]
    if as_json:
        return typer.echo(json.dumps({"components": rows, "broken": found.broken, "blocked": found.blocked}, ensure_ascii=False))
    print_table(
        ["kind", "name", "what it does", "from"],
        [[row["kind"], row["name"], row["doc"], f"{row['distribution']} {row['version']}"] for row in rows],
    )
    for source, reason in found.broken.items():
        typer.echo(f"broken: {source}: {reason}")
    if found.blocked:
        typer.echo(f"blocked: {', '.join(found.blocked)}")
    return None


def schema() -> None:
    """Print the JSON Schema of a run file over the installed components."""
    from adjudge.config import json_schema
    from adjudge.manager import Plugins

    typer.echo(json.dumps(json_schema(Plugins.load()), indent=2, ensure_ascii=False))

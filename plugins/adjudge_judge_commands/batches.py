"""Judging through batch files: what a call writes in place of asking, and the results that it reads as answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from adjudge import Options

BatchOption = Annotated[
    Path | None, typer.Option("--batch", help="Ask nothing: write the engine openai's requests to a batch file, and end.")
]
BatchResultsOption = Annotated[
    list[Path] | None, typer.Option("--batch-results", help="Files of results of such a batch, read as answers; errors too.")
]
Config = TypeVar("Config", bound="Options")


def batched(config: Config, requests: Path | None, results: Sequence[Path] | None) -> Config:
    """The configuration with its engine asked through files, where the call names any."""
    if requests is None and not results:
        return config
    from adjudge import Engine, Plugins, validate

    engine = {"use": "batch", "engine": config.engine, "requests": requests, "results": list(results or ())}  # type: ignore[attr-defined]
    return config.model_copy(update={"engine": validate(Engine, engine, Plugins.load(), "--batch")})

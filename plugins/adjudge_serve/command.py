"""``adjudge serve``: opens a reward's judge and answers over HTTP until it is told to stop."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Annotated

import typer

from adjudge import SetOption

EXAMPLE = "Example: adjudge serve reward.yaml --group-size 8"
NEEDED = ("fastapi", "uvicorn", "prometheus_client")
TOKEN_VARIABLE = "ADJUDGE_SERVE_TOKEN"

FileArgument = Annotated[FilePath, typer.Argument(metavar="FILE", help="A reward's YAML file.", show_default=False)]
HostOption = Annotated[str, typer.Option("--host", help="Address to listen on. Any but a loopback one asks for a token.")]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 = a free one, which is printed.")]
TokenOption = Annotated[
    FilePath | None,
    typer.Option("--token-file", help=f"File with the token that clients send; else {TOKEN_VARIABLE}, else one is made where needed."),
]
GroupOption = Annotated[int | None, typer.Option("--group-size", min=1, help="Completions of a prompt, where a request does not say.")]
EvalOption = Annotated[int | None, typer.Option("--eval-group-size", min=1, help="The same in evaluation, where a request says it is.")]
CollectOption = Annotated[float, typer.Option("--collect-seconds", min=0, help="How long a group's first completion waits for the last.")]
JudgeOption = Annotated[float, typer.Option("--judge-seconds", min=0, help="How long a complete group waits for the judge.")]
StateOption = Annotated[FilePath | None, typer.Option("--state", help="File that keeps groups when the server ends, or is killed.")]
AnchorsOption = Annotated[FilePath | None, typer.Option("--anchors", help="Rows with prompts and reference answers, for LLaMA-Factory.")]
QueueOption = Annotated[int, typer.Option("--max-queue", min=1, help="Completions that may wait; beyond, clients are told to come later.")]
SamplesOption = Annotated[int, typer.Option("--max-samples", min=1, help="Completions in one request at most.")]
BodyOption = Annotated[float, typer.Option("--max-body", min=0, help="Megabytes of one request at most.")]
DrainOption = Annotated[float, typer.Option("--drain-seconds", min=0, help="When told to stop: how long who waits may still be answered.")]


def serve(
    file: FileArgument,
    *,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    token_file: TokenOption = None,
    group_size: GroupOption = None,
    eval_group_size: EvalOption = None,
    collect_seconds: CollectOption = 600,
    judge_seconds: JudgeOption = 1800,
    state: StateOption = None,
    anchors: AnchorsOption = None,
    max_queue: QueueOption = 8192,
    max_samples: SamplesOption = 1024,
    max_body: BodyOption = 32,
    drain_seconds: DrainOption = 30,
    sets: SetOption = None,
) -> None:
    """Serve a reward over HTTP, for RL frameworks and for programs of your own.

    The file is that of 'adjudge reward'. Clients that send one completion at a time wait for their group. docs/serve.md has the routes.
    """
    from adjudge import ConfigError, Plugins
    from adjudge_rewards import read_reward

    if missing := [name for name in NEEDED if find_spec(name) is None]:
        named = ", ".join(name.replace("_", "-") for name in missing)
        raise ConfigError(f"serve: {named} is not installed here.\n  Remedy: pip install 'adjudge[serve]'.")
    from .anchors import read_anchors
    from .gate import is_loopback, read_token
    from .run import run
    from .service import Settings

    plugins = Plugins.load()
    settings = Settings(
        group_size=group_size,
        eval_group_size=eval_group_size,
        collect_seconds=collect_seconds,
        judge_seconds=judge_seconds,
        max_queue=max_queue,
        max_samples=max_samples,
        max_body=int(min(max_body, 10**6) * 1_000_000),
        drain_seconds=drain_seconds,
        token=read_token(token_file, os.environ.get(TOKEN_VARIABLE), needed=not is_loopback(host)),
        loopback=is_loopback(host),
    )
    told = token_file is not None or TOKEN_VARIABLE in os.environ
    config = read_reward(file, sets or (), plugins)
    run(config, plugins, settings, host, port, state, read_anchors(anchors, config.anchor), show_token=not told)

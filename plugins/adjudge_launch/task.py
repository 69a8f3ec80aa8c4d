"""A piece of a run in one of several processes: what a launcher has each of them do, in the same order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path as FilePath

from pydantic import TypeAdapter

from adjudge import Json, Plugins, Problem, ProcessGroup, Run, RunConfig, Stage, validate

from .stage import LaunchedStage


def do_task(task: Mapping[str, Json], process_group: ProcessGroup, written: Callable[[Stage, str, Mapping[str, Json]], None]) -> Json:
    """What a task comes to, a stage's model and metrics or its evaluation; `written` is called with every record of this process.

    `task` is what `Launcher.launch` was given, read from JSON.
    """
    plugins = Plugins.load()
    run = Run(validate(RunConfig, task["config"], plugins, "the run file, as a worker reads it,"), plugins)
    stage = LaunchedStage.of(run.stage(task["stage"], FilePath(task["model"])), process_group, written)
    problems = TypeAdapter(dict[str, list[Problem]]).validate_python(task["problems"])
    if task["trained"] is not None:
        return run.evaluate(stage, FilePath(task["trained"]), problems)
    [stage.problems] = problems.values()
    result = run.train(stage)
    return {"model": str(result.model), "metrics": dict(result.metrics)}

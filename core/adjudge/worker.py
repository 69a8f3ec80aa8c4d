"""``python -m adjudge.worker FOLDER``: one of the processes that `launch` starts; does the task that lies in the folder with all others.

The folder is where it leaves its signs: that it is there, what it wrote, what went wrong, what came of it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path as FilePath

from pydantic import TypeAdapter

from .config import RunConfig, validate
from .crew import STOP, Crew
from .errors import ConfigError
from .manager import Plugins
from .records import Json, Problem
from .run import Run
from .rundir import write_json, write_whole
from .stage import Stage
from .stopping import follow_sigterm


def main(folder: FilePath) -> None:
    """Do the task; exits with 0 also where it was asked to stop, so that the others are left to stop in their own time."""
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    crew = Crew(rank, size, folder)
    _write_to(folder / f"rank-{rank}.log")
    write_whole(folder / f"pid-{os.environ.get('GROUP_RANK', '0')}.{rank}", str(os.getpid()))
    threading.Thread(target=_end_with_launcher, daemon=True).start()
    follow_sigterm()
    try:
        found = work(crew)
        if crew.main:
            write_json(folder / "result.json", found)
    except KeyboardInterrupt:
        traceback.print_exc()
        if not (folder / STOP).exists():  # torchrun ends it because another process has failed
            raise SystemExit(1) from None
    except BaseException as error:
        traceback.print_exc()
        write_json(folder / f"error-{rank}.json", {"rank": rank, "kind": type(error).__name__, "message": str(error)})
        raise SystemExit(1) from None
    crew.meet("end")


def work(crew: Crew) -> Json:
    """The task's outcome: a stage's model and metrics, or its evaluation."""
    task = json.loads((crew.folder / "task.json").read_text(encoding="utf-8"))
    plugins = Plugins.load()
    config = validate(RunConfig, task["config"], plugins, "the run file, as a worker reads it,")
    _check_size(config, crew)
    run = Run(config, plugins)
    stage = run.stage(task["stage"], FilePath(task["model"]))
    stage.crew, stage.written = crew, _teller(crew)
    problems = TypeAdapter(dict[str, list[Problem]]).validate_python(task["problems"])
    if task["trained"] is not None:
        return run.evaluate(stage, FilePath(task["trained"]), problems)
    [stage.problems] = problems.values()
    result = run.train(stage)
    return {"model": str(result.model), "metrics": dict(result.metrics)}


def _check_size(config: RunConfig, crew: Crew) -> None:
    if config.launch is not None and crew.size != config.launch.processes:
        raise ConfigError(
            f"launch: accelerate started {crew.size} processes that know of each other, not {config.launch.processes}.\n"
            "  Remedy: see to distributed_type in launch.config_file."
        )


def _teller(crew: Crew) -> Callable[[Stage, str, Mapping[str, Json]], None]:
    """Writes down the records that this process makes, for the run's observers, who are in the process that launched this one."""
    file = crew.folder / f"events-{crew.rank}.jsonl"

    def tell(stage: Stage, name: str, record: Mapping[str, Json]) -> None:
        event = {"name": name, "total": stage.totals.get(name), "record": record}
        with suppress(OSError), file.open("a", encoding="utf-8") as events:  # it is for show: a full disk is told by the record itself
            events.write(json.dumps(event, ensure_ascii=False) + "\n")

    return tell


def _write_to(log: FilePath) -> None:
    """From now on everything that is printed, by libraries in C too, goes to this file."""
    with log.open("ab") as out:
        sys.stdout.flush()
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)


def _end_with_launcher() -> None:
    """End at once when standard input does, which the process holds that launched this one."""
    while os.read(0, 1024):
        time.sleep(0.1)
    os._exit(1)


if __name__ == "__main__":
    main(FilePath(sys.argv[1]))

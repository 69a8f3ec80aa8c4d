"""``python -m adjudge.worker FOLDER``: one of the processes that `launch` starts; does the task that lies in the folder with all others.

The folder is where it leaves its signs: that it is there, what it wrote, what went wrong, what came of it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path as FilePath
from typing import NoReturn

from pydantic import TypeAdapter

from . import errors
from .config import RunConfig, validate
from .crew import END, STOP, Crew
from .errors import AdjudgeError, ConfigError
from .manager import Plugins
from .records import Json, Problem
from .run import Run
from .rundir import write_json, write_whole
from .stage import Stage
from .stopping import follow_sigterm

LEAVING = 10
"""Seconds that Python may take to end a process that leaves, where libraries wait for others that have gone; then the kernel ends it."""


def main(folder: FilePath) -> None:
    """Do the task together with the others; however it ends, this process does, and leaves word of it."""
    crew = Crew(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")), folder)
    _write_to(folder / f"rank-{crew.rank}.log")
    threading.Thread(target=_end_with_launcher, daemon=True).start()
    follow_sigterm(crew.wait)
    try:
        write_whole(folder / f"pid-{os.environ.get('GROUP_RANK', '0')}.{crew.rank}", str(os.getpid()))
        if (folder / STOP).exists():  # the others were asked before this process could be
            raise KeyboardInterrupt
        found = work(crew)
        if crew.main:
            write_json(folder / "result.json", found)
        crew.meet(END)
    except BaseException as error:
        _leave(crew, error)


def _leave(crew: Crew, error: BaseException) -> NoReturn:
    """End this process without the others, soon and whatever they do.

    After a stop it exits with 0, also where the others' leaving has made it fail: at any other status torchrun would end at once those that
    are not ready yet.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    traceback.print_exception(error)
    stopped = (crew.folder / STOP).exists()
    if stopped:
        if isinstance(error, AdjudgeError):  # such as a checkpoint without room; what the others' leaving makes fail is another kind
            logging.getLogger("adjudge.worker").error("after it was asked to stop: %s", error)
        (crew.folder / f"{END}.{crew.rank}").touch()
    elif not isinstance(error, KeyboardInterrupt):  # torchrun sends that where another process has failed
        write_json(crew.folder / f"error-{crew.rank}.json", {"rank": crew.rank, **_told(error)})
    signal.alarm(LEAVING)
    raise SystemExit(0 if stopped else 1)


def _told(error: BaseException) -> dict[str, Json]:
    """An error of ours by its class in `errors` and its message; any other one without a class, and with its type in the message."""
    kind = next((cls.__name__ for cls in type(error).__mro__ if getattr(errors, cls.__name__, None) is cls), None)
    return {"kind": kind, "message": str(error) if kind else f"{type(error).__name__}: {error}"}


def work(crew: Crew) -> Json:
    """The task's outcome: a stage's model and metrics, or its evaluation."""
    events = Events(crew)
    for handler in (events, logging.StreamHandler()):
        logging.getLogger("adjudge").addHandler(handler)
    task = json.loads((crew.folder / "task.json").read_text(encoding="utf-8"))
    plugins = Plugins.load()
    config = validate(RunConfig, task["config"], plugins, "the run file, as a worker reads it,")
    _check_size(config, crew)
    run = Run(config, plugins)
    stage = run.stage(task["stage"], FilePath(task["model"]))
    stage.crew, stage.written = crew, events.tell
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


class Events(logging.Handler):
    """Writes down what this process records and logs, for the process that launched it, which has the run's observers and its log."""

    def __init__(self, crew: Crew) -> None:
        super().__init__()
        self.crew = crew

    def tell(self, stage: Stage, name: str, record: Mapping[str, Json]) -> None:
        self._write({"name": name, "total": stage.totals.get(name), "record": record})

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write({"rank": self.crew.rank, "level": record.levelno, "message": self.format(record)})
        except Exception:  # as every handler does: a line that cannot be made is told on standard error, and ends nothing
            self.handleError(record)

    def _write(self, event: Mapping[str, Json]) -> None:
        line = json.dumps(event, ensure_ascii=False) + "\n"
        file = self.crew.folder / f"events-{self.crew.rank}.jsonl"
        with suppress(OSError), file.open("ab", buffering=0) as events:  # it is for show: a full disk is told by the record itself
            events.write(line.encode())  # at once, for libraries log from threads of their own


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

"""``python -m adjudge_launch.worker FOLDER``: one of the processes of a launch; does the task that lies in the folder with all others.

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

from adjudge import AdjudgeError, ConfigError, Json, Stage, follow_sigterm, write_json, write_whole

from .process_group import FolderProcessGroup
from .signs import END, ERRORS, STOP
from .task import do_task

LEAVING = 10
"""Seconds that Python may take to end a process that leaves, where libraries wait for others that have gone; then the kernel ends it."""


def main(folder: FilePath) -> None:
    """Do the task together with the others; however it ends, this process does, and leaves word of it."""
    process_group = FolderProcessGroup(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")), folder)
    _write_to(folder / f"rank-{process_group.rank}.log")
    threading.Thread(target=_end_with_launcher, daemon=True).start()
    follow_sigterm(process_group.barrier)
    try:
        write_whole(folder / f"pid-{os.environ.get('GROUP_RANK', '0')}.{process_group.rank}", str(os.getpid()))
        if (folder / STOP).exists():  # the others were asked before this process could be
            raise KeyboardInterrupt
        found = work(process_group)
        if process_group.is_main_process:
            write_json(folder / "result.json", found)
        process_group.meet(END)
    except BaseException as error:
        _leave(process_group, error)


def _leave(process_group: FolderProcessGroup, error: BaseException) -> NoReturn:
    """End this process without the others, soon and whatever they do.

    After a stop it exits with 0, also where the others' leaving has made it fail: at any other status torchrun would end at once those that
    are not ready yet.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    traceback.print_exception(error)
    stopped = (process_group.folder / STOP).exists()
    if stopped:
        if isinstance(error, AdjudgeError):  # such as a checkpoint without room; what the others' leaving makes fail is another kind
            logging.getLogger("adjudge.worker").error("after it was asked to stop: %s", error)
        (process_group.folder / f"{END}.{process_group.rank}").touch()
    elif not isinstance(error, KeyboardInterrupt):  # torchrun sends that where another process has failed
        write_json(process_group.folder / f"error-{process_group.rank}.json", {"rank": process_group.rank, **_told(error)})
    signal.alarm(LEAVING)
    raise SystemExit(0 if stopped else 1)


def _told(error: BaseException) -> dict[str, Json]:
    """An error of ours by its class and its message; any other one without a class, and with its type in the message."""
    kind = next((cls.__name__ for cls in type(error).__mro__ if ERRORS.get(cls.__name__) is cls), None)
    return {"kind": kind, "message": str(error) if kind else f"{type(error).__name__}: {error}"}


def work(process_group: FolderProcessGroup) -> Json:
    """The task's outcome: a stage's model and metrics, or its evaluation."""
    events = Events(process_group)
    for handler in (events, logging.StreamHandler()):
        logging.getLogger("adjudge").addHandler(handler)
    task = json.loads((process_group.folder / "task.json").read_text(encoding="utf-8"))
    _check_size(task["config"]["launch"], process_group)
    return do_task(task, process_group, events.tell)


def _check_size(launch: dict[str, Json] | None, process_group: FolderProcessGroup) -> None:
    if launch is not None and process_group.size != launch["processes"]:
        raise ConfigError(
            f"launch: accelerate started {process_group.size} processes that know of each other, not {launch['processes']}.\n"
            "  Remedy: see to distributed_type in launch.config_file."
        )


class Events(logging.Handler):
    """Writes down what this process records and logs, for the process that launched it, which has the run's observers and its log."""

    def __init__(self, process_group: FolderProcessGroup) -> None:
        super().__init__()
        self.process_group = process_group

    def tell(self, stage: Stage, name: str, record: Mapping[str, Json]) -> None:
        self._write({"name": name, "total": stage.totals.get(name), "record": record})

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write({"rank": self.process_group.rank, "level": record.levelno, "message": self.format(record)})
        except Exception:  # as every handler does: a line that cannot be made is told on standard error, and ends nothing
            self.handleError(record)

    def _write(self, event: Mapping[str, Json]) -> None:
        line = json.dumps(event, ensure_ascii=False) + "\n"
        file = self.process_group.folder / f"events-{self.process_group.rank}.jsonl"
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

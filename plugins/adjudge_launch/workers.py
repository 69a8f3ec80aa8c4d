"""Does a piece of a run in processes of its own under ``accelerate launch``: starts them, hears their records, ends them when one fails.

The main process writes what there is to do into a folder; the workers (`adjudge_launch.worker`) leave there what came of it.
Docs: decisions/0016.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import yaml
from filelock import FileLock, Timeout

from adjudge import AdjudgeError, JobError, Json, PluginError, RunFolder, Terminated, write_json, write_whole

from .signs import END, ERRORS, STOP

if TYPE_CHECKING:
    from .accelerate import AccelerateLauncher

log = logging.getLogger("adjudge.launch")
LOOK = 0.05
"""Seconds between two looks at the workers."""
GRACE = 15.0
"""Seconds that the others have to end by themselves once one has failed, or has left after a stop; then they are killed."""
PATIENCE = 60.0
"""Seconds between two looks, from another machine, at whether the first one is at work."""
ANNOUNCED = "launch.json"
"""File beside the stages' folders that tells the other machines of a launch."""
LAST_LINES = 12
"""Lines of a failed worker's output that the message shows."""
OTHER_LAUNCH = re.compile(
    r"(ACCELERATE|FSDP|PARALLELISM_CONFIG|PET|TORCHELASTIC)_.*|((LOCAL|GROUP|ROLE)_)?RANK|((LOCAL|GROUP|ROLE)_)?WORLD_SIZE|ROLE_NAME"
    r"|MASTER_(ADDR|PORT)"
)
"""Environment variables by which accelerate and torchrun tell processes of a launch; those of another one mean nothing in ours."""
Heard = Callable[[str, int | None, Mapping[str, Json]], None]
"""Told of every record that a worker writes: the name of its file, how many there will be, the record."""


def in_processes(options: AccelerateLauncher, folder: FilePath, name: str, task: Json, heard: Heard) -> Json:
    """What a task came to that `adjudge_launch.worker` does in every process; what one of them raised is raised here.

    `folder` is emptied first and deleted once the task is done; after a failure it keeps what the processes printed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    write_json(folder / "task.json", task)
    announced = folder.parent.parent / ANNOUNCED
    if options.machines > 1:
        write_json(announced, {"id": time.time_ns(), "folder": str(folder), "name": name})
    try:
        Workers(options, folder, name, heard, announced).watch()
    finally:
        announced.unlink(missing_ok=True)
    found = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    shutil.rmtree(folder, ignore_errors=True)
    return found


def join_launches(options: AccelerateLauncher, out: FilePath) -> None:
    """On another machine than the first: take part in every launch that is announced in the run folder, until the run is complete."""
    joined, looked = None, time.monotonic()
    while not (out / "done.json").exists():
        found = _announced(out)
        if found and found["id"] != joined:
            joined = found["id"]
            Workers(options, FilePath(found["folder"]), found["name"]).watch()
            looked = time.monotonic()
        if time.monotonic() - looked > PATIENCE:
            looked = time.monotonic()
            if not _at_work(out):
                raise JobError(
                    f"launch: machine 0 is not at work in {out}.\n  Remedy: give it the same command, with launch.machine_rank=0."
                )
        time.sleep(20 * LOOK)


def _at_work(out: FilePath) -> bool:
    """Whether a process has this run folder open."""
    if not out.is_dir():
        return False
    lock = FileLock(out / RunFolder.LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


def _announced(out: FilePath) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):  # there is none, or it is being taken back
        found: dict[str, Any] = json.loads((out / "stages" / ANNOUNCED).read_text(encoding="utf-8"))
        return found
    return None


class Workers:
    """The processes of one launch on this machine, and accelerate's own, which starts them."""

    passed_on = False
    """Whether those processes were asked to stop."""

    def __init__(
        self, options: AccelerateLauncher, folder: FilePath, name: str, heard: Heard | None = None, announced: FilePath | None = None
    ) -> None:
        """`heard` and the file `announced`, which goes away once all processes are there, are for the first machine."""
        self.options, self.folder, self.name, self.heard, self.announced = options, folder, name, heard, announced
        self.read: dict[FilePath, int] = {}
        """Bytes of each file of events that were heard already."""
        self.gone: dict[int, float] = {}
        """When each process that ended without a word was missed first."""
        settings = folder / f"accelerate-{options.machine_rank}.yaml"
        write_whole(settings, yaml.safe_dump(options.accelerate()))
        command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(settings), "--module", "adjudge_launch.worker"]
        with (folder / f"launcher-{options.machine_rank}.log").open("wb") as said:
            # The workers inherit this standard input, and end when it does: however this process ends, they do not outlive it.
            self.launcher = subprocess.Popen(
                [*command, str(folder)], stdin=subprocess.PIPE, stdout=said, stderr=said, start_new_session=True, env=self._environment()
            )

    def _environment(self) -> dict[str, str]:
        """Without the view of a launch that this process may be part of; this folder's modules are found where this process finds them."""
        own = {name: value for name, value in os.environ.items() if not OTHER_LAUNCH.fullmatch(name)}
        if self.options.accelerate().get("use_cpu"):
            own["ACCELERATE_USE_CPU"] = "true"
        if not {"", os.getcwd()} & {*sys.path}:
            own["PYTHONSAFEPATH"] = "1"
        return own

    def watch(self) -> None:
        """Hear what is written until all have ended; raises what went wrong. Ctrl-C and SIGTERM are passed on, a second one kills.

        On another machine than the first, a stop that was asked for elsewhere is no failure: the first machine says what comes next.
        """
        try:
            try:
                self._until_ended()
            except KeyboardInterrupt as stop:
                if not self._stopped:
                    write_whole(self.folder / STOP, str(int(signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)))
                self._until_ended()
                raise
        finally:
            self._kill()
            self._hear()
        if self.heard is None and self._stopped:
            return
        if self.launcher.returncode or (self.heard and not (self.folder / "result.json").exists()):
            raise self._failure()

    def _until_ended(self) -> None:
        over_at: float | None = None
        while self.launcher.poll() is None:
            self._hear()
            self._withdraw()
            self._pass_on()
            if over_at is None and (self._failing() or self._leaving()):
                over_at = time.monotonic()
            if over_at is not None and time.monotonic() - over_at > GRACE:
                return
            time.sleep(LOOK)

    @property
    def _stopped(self) -> bool:
        """Whether this machine or another one was asked to stop."""
        return (self.folder / STOP).exists()

    def _pass_on(self) -> None:
        """Ask the processes here to stop once that was asked for anywhere; only once, for a second signal would cut a checkpoint."""
        if self._stopped and not self.passed_on:
            self.passed_on = True
            self._signal(signal.Signals(int((self.folder / STOP).read_text(encoding="utf-8"))))

    def _leaving(self) -> bool:
        """Whether, after a stop, a process has left or has not come yet; nobody writes a checkpoint then, see `follow_sigterm`."""
        here = self.options.processes // self.options.machines
        return self._stopped and (len(self._pids()) < here or any(self.folder.glob(f"{END}.*")))

    def _failing(self) -> bool:
        """Whether a process has failed, by its own word or without one."""
        for rank, pid in self._pids().items():
            if rank not in self.gone and not self._said(rank) and not _alive(pid) and not self._said(rank):
                self.gone[rank] = time.time()
        return bool(self.gone) or any(self.folder.glob("error-*.json"))

    def _said(self, rank: int) -> bool:
        """Whether a process has ended as it should, or said why not."""
        return (self.folder / f"{END}.{rank}").exists() or (self.folder / f"error-{rank}.json").exists()

    def _pids(self) -> dict[int, int]:
        """Processes on this machine by rank."""
        found = {}
        for file in self.folder.glob(f"pid-{self.options.machine_rank}.*"):
            with suppress(ValueError):  # it may be half written
                found[int(file.suffix[1:])] = int(file.read_text())
        return found

    def _withdraw(self) -> None:
        """Take back the announcement once every process of every machine has come, so that no machine joins twice."""
        if self.announced and len(list(self.folder.glob("pid-*.*"))) == self.options.processes:
            self.announced.unlink(missing_ok=True)
            self.announced = None

    def _hear(self) -> None:
        if self.heard is None:
            return
        for file in sorted(self.folder.glob("events-*.jsonl")):
            for event in self._new(file):
                if "level" in event:
                    log.log(event["level"], "process %d of stage %s: %s", event["rank"], self.name, event["message"])
                else:
                    self.heard(event["name"], event["total"], event["record"])

    def _new(self, file: FilePath) -> Iterator[dict[str, Any]]:
        with file.open("rb") as events:
            events.seek(self.read.get(file, 0))
            for line in events:
                if line.endswith(b"\n"):
                    self.read[file] = self.read.get(file, 0) + len(line)
                    yield json.loads(line)

    def _signal(self, number: signal.Signals) -> None:
        for rank, pid in self._pids().items():
            if not self._said(rank):
                _send(pid, number)

    def _kill(self) -> None:
        """End whatever is left of accelerate and of the workers."""
        if self.launcher.poll() is None:
            self._signal(signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.killpg(self.launcher.pid, signal.SIGKILL)
        assert self.launcher.stdin is not None
        self.launcher.stdin.close()
        self.launcher.wait()

    def _failure(self) -> AdjudgeError:
        """The first thing that went wrong: what a process raised, unless another had ended without a word before that."""
        if self._stopped:
            return JobError(
                f"stage {self.name}: another machine was asked to stop, and so were all processes.\n"
                "  Remedy: give every machine the same command; it goes on from the last checkpoint, finished records are kept."
            )
        raised = min(self.folder.glob("error-*.json"), key=lambda file: file.stat().st_mtime, default=None)
        if self.gone and (raised is None or min(self.gone.values()) < raised.stat().st_mtime + 4 * LOOK):
            return self._silent(min(self.gone, key=lambda rank: self.gone[rank]))
        if raised is None:
            return self._not_started()
        error = json.loads(raised.read_text(encoding="utf-8"))
        shown = self._shown(f"rank-{error['rank']}.log")
        if error["kind"] is None:
            return JobError(
                f"stage {self.name}: process {error['rank']} of {self.options.processes} raised {error['message']}{shown}\n"
                "  Remedy: correct what it says; the same command goes on from the last checkpoint, finished records are kept."
            )
        cls = ERRORS[error["kind"]]
        return cls(error["message"] + (shown if cls is PluginError else ""))

    def _silent(self, rank: int) -> JobError:
        return JobError(
            f"stage {self.name}: process {rank} of {self.options.processes} ended without a word, as one does that is killed, for example"
            f" because memory ran out.{self._shown(f'rank-{rank}.log')}\n"
            "  Remedy: see that it cannot happen again; the same command goes on from the last checkpoint, finished records are kept."
        )

    def _not_started(self) -> JobError:
        return JobError(
            f"stage {self.name}: accelerate did not bring its {self.options.processes} processes to an end"
            f" (exit status {self.launcher.returncode}).{self._shown(f'launcher-{self.options.machine_rank}.log')}\n"
            "  Remedy: correct what it says in launch or its config_file; finished records are kept."
        )

    def _shown(self, log: str) -> str:
        """The last lines of a log, and where the rest is."""
        file = self.folder / log
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:] if file.exists() else []
        return "\n".join([f"\n  The end of {file}:", *(f"    {line}" for line in lines or ["(nothing)"])])


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for yet does not."""
    try:
        return FilePath(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

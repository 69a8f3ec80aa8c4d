"""Turns errors that come from outside of a training, of memory, a server or a disk, into a `JobError`, each with its own remedy."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from safetensors import SafetensorError
from torch.distributed.checkpoint import CheckpointException

from adjudge import AdjudgeError, JobError, StageContext

CLIENTS = {"requests", "urllib3", "httpx"}
"""Packages through which TRL and its libraries speak to servers; their errors are told from a disk's by where they come from."""
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
OF_FILES = NO_ROOM | {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}
AGAIN = "and run again; the stage goes on from its last whole checkpoint."


@contextmanager
def as_job_error(stage: StageContext, doing: str, remedy: str) -> Iterator[None]:
    """Raise a `JobError` for what memory, a server or a disk refuses inside the block; `remedy` is what to do where memory is short.

    `doing` is what did not fit, such as *a training step*. Every other error passes.
    """
    try:
        yield
    except AdjudgeError:
        raise
    except Exception as error:
        if (message := _message(stage, doing, remedy, error)) is None:
            raise
        raise JobError(f"stage {stage.name}: {message}") from error


@contextmanager
def one_cause() -> Iterator[None]:
    """Raise what a process raised where torch, as it saves or reads shards, tells every process that some have failed."""
    try:
        yield
    except CheckpointException as error:
        raise next(iter(error.failures.values()))[0] from error


def _message(stage: StageContext, doing: str, remedy: str, error: Exception) -> str | None:
    """The message about an error, in the order in which the kinds contain each other: many of these are an OSError or a RuntimeError."""
    if _of_memory(error):
        return f"{doing} does not fit into memory: {_first_line(error)}\n  Remedy: {remedy}"
    if isinstance(error, ConnectionError | TimeoutError) or type(error).__module__.partition(".")[0] in CLIENTS:
        return (
            f"a server that training needs does not answer: {_first_line(error)}\n"
            f"  Remedy: see that it is up and can be reached, such as vLLM's for trl: {{vllm_mode: server}}, {AGAIN}"
        )
    if isinstance(error, SafetensorError) and "deserializing" in str(error):
        return f"weights cannot be read, for their file is damaged: {_first_line(error)}\n  Remedy: copy or save them again."
    if not _of_a_file(error):
        return None
    full = not isinstance(error, OSError) or error.errno in NO_ROOM
    remedy = "make room" if full else "see that it is there and may be written"
    return (
        f"a file cannot be written or read (the stage keeps its own in {stage.folder}): {_first_line(error)}\n  Remedy: {remedy}, {AGAIN}"
    )


def _of_memory(error: Exception) -> bool:
    """Also what torch raises where a CPU's memory is short, which has no class of its own."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator: can't allocate" in str(error)


def _of_a_file(error: Exception) -> bool:
    """Also what safetensors, and the writer that torch has in C++, raise where a disk is full."""
    if isinstance(error, OSError):
        return error.filename is not None or error.errno in OF_FILES
    return isinstance(error, SafetensorError) or (isinstance(error, RuntimeError) and "inline_container" in str(error))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__

"""The way to a Ray cluster, and how many workers have room on it."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from adjudge import ConfigError, Engine

from .options import ClusterOptions


@contextmanager
def connected(address: str) -> Iterator[None]:
    """This process belongs to the cluster while the context lasts; a connection that was there before is used, and stays."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a local cluster asks on the terminal otherwise
    try:
        _knock(address)
        # Worker output would come between the rows that commands write to standard output.
        with _own_sigterm():
            ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"ray: no cluster answers at address {address!r}: {' '.join(str(error).split())[:200]}\n"
            "  Remedy: start one with 'ray start --head', name its head as host:port, or write address: local."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise `OSError` where nobody listens at a host and port; Ray itself asks on for more than five minutes."""
    if found := re.fullmatch(r"(?:ray://)?(.+):(\d+)", address):
        socket.create_connection((found[1], int(found[2])), timeout=10).close()


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Ray leaves at once on SIGTERM where a run finishes its checkpoint first; whoever was asked to stop before is asked again."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


def gpus_of(options: ClusterOptions, engine: Engine) -> float:
    """GPUs that one worker takes."""
    if options.gpus is not None:
        return options.gpus
    parts: float = getattr(engine, "tensor_parallel", 1) * getattr(engine, "data_parallel", 1)
    return parts if engine.use == "vllm" and ray.cluster_resources().get("GPU", 0) else 0


def room_for(cpus: float, gpus: float) -> int:
    """How many workers of this size fit on the nodes that are alive."""
    room = 0
    for node in ray.nodes():
        if node["Alive"]:
            has = node["Resources"]
            fits = [has.get("CPU", 0) // cpus, *([has.get("GPU", 0) // gpus] if gpus else [])]
            room += int(min(fits))
    if not room:
        raise ConfigError(
            f"ray: no node of the cluster has {cpus:g} cores and {gpus:g} GPUs, which one worker takes.\n"
            "  Remedy: lower cpus or gpus, or add nodes; workers: N waits for nodes that are still to come."
        )
    return room

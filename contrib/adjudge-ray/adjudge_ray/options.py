"""Where a cluster is and how much of it is used; engine and launcher have the same options."""

from __future__ import annotations

import importlib.util
from typing import Annotated

from pydantic import BaseModel, Field

from adjudge import ConfigError


class ClusterOptions(BaseModel):
    """The part that the engine `ray` and the launcher `ray` share."""

    address: str = "auto"
    """The cluster: ``auto`` for the one that this machine belongs to, ``host:port`` of its head, or ``local`` to start one here for as
    long as it is needed."""
    workers: Annotated[int, Field(ge=1)] | None = None
    """Engines to open; None = as many as the cluster has room for when they are opened."""
    cpus: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1
    """Processor cores that one engine takes."""
    gpus: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """GPUs that one engine takes; None = one for each part of a vLLM engine where the cluster has GPUs, else 0."""
    batch: Annotated[int, Field(ge=1)] = 64
    """Prompts that a worker is handed at once at most; what a lost node had in hand is made again in whole batches."""


def check_installed() -> None:
    """Raise `ConfigError` where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise ConfigError("ray: the package ray is not installed.\n  Remedy: pip install adjudge-ray, here and on every node.")

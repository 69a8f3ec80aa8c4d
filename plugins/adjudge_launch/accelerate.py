"""The launcher `accelerate`: how many processes work on a stage, and where; ``accelerate launch`` starts them. Docs: decisions/0016."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from adjudge import ConfigError, Json, Launcher, StageContext


class AccelerateLauncher(Launcher):
    """Every stage's training and evaluation in processes of its own, through ``accelerate launch``."""

    use: Literal["accelerate"] = "accelerate"
    machines: Annotated[int, Field(ge=1)] = 1
    """Machines that take part; all see the run folder under the same path, and each is given the same command with its own rank."""
    machine_rank: Annotated[int, Field(ge=0)] = 0
    """Which of the machines this is; 0 does what is not shared out."""
    main_process_ip: str | None = None
    """Address of machine 0, needed with several machines."""
    main_process_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Port on machine 0 where the processes find each other; None = one that is free. Needed with several machines."""
    config_file: FilePath | None = None
    """An accelerate configuration, for FSDP, DeepSpeed and the like; numbers of processes and machines count as they stand here."""

    @model_validator(mode="after")
    def _machines_make_sense(self) -> Self:
        if self.processes % self.machines:
            raise ValueError(f"processes {self.processes} cannot be shared out equally over {self.machines} machines")
        if self.machine_rank >= self.machines:
            raise ValueError(f"machine_rank {self.machine_rank} is none of 0 to {self.machines - 1}; raise machines")
        if self.machines > 1 and (self.main_process_ip is None or self.main_process_port is None):
            raise ValueError("several machines need main_process_ip and main_process_port, by which they find each other")
        return self

    def check(self) -> None:
        """Raise `ConfigError` where accelerate is not installed or its configuration cannot be used."""
        if importlib.util.find_spec("accelerate") is None:
            raise ConfigError("launch: accelerate is not installed.\n  Remedy: pip install 'adjudge[train]', or leave launch out.")
        self.accelerate()

    def accelerate(self) -> dict[str, Any]:
        """The configuration that accelerate is given: the user's own, if any, with processes and machines as they stand here."""
        own = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "NO"} | self._own()
        if self.processes > 1 and own["distributed_type"] in ("NO", "MULTI_CPU"):
            own["distributed_type"] = "MULTI_GPU"  # accelerate's word for one process each through torchrun, whatever they compute on
        return own | {
            "num_processes": self.processes,
            "num_machines": self.machines,
            "machine_rank": self.machine_rank,
            "main_process_ip": self.main_process_ip,
            "main_process_port": self.main_process_port or 0,
            "same_network": True,
        }

    def _own(self) -> dict[str, Any]:
        if self.config_file is None:
            return {}
        try:
            from adjudge import load_yaml

            found = load_yaml(self.config_file.read_text(encoding="utf-8"), f"launch.config_file: {self.config_file}")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"launch.config_file: {self.config_file} cannot be read: {error}\n  Remedy: check the path.") from None
        if not isinstance(found, dict):
            raise ConfigError(f"launch.config_file: {self.config_file} is no mapping.\n  Remedy: make one with 'accelerate config'.")
        return found

    def launch(self, stage: StageContext, task: Json, written: Callable[[str, int | None, Mapping[str, Json]], None]) -> Json:
        from .workers import in_processes

        return in_processes(self, stage.folder / "launch", stage.name, task, written)

    def follow(self, run_folder: FilePath) -> bool:
        if self.machine_rank == 0:
            return False
        from .workers import join_launches

        join_launches(self, run_folder)
        return True

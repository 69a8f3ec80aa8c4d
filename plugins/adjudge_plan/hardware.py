"""Whether a run fits the devices it is planned for, and how long it computes there: its phases by stage, each with its verdict.

Time is that of the most tokens: every judgement as long as it may be. A device is taken to reach between a fifth and a half of its
peak in training, which is what the public reports of such trainings lie between; sampling goes at the rate that is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from adjudge import ConfigError, Json, Options, Problem, Work, boundary

from .loads import Sampling, Training
from .memory import GIB, Phase, sampling, training, training_flops
from .model_size import ModelSize
from .plan import prompt_counts, stage_names

if TYPE_CHECKING:
    from adjudge import Launcher, RunInfo

Seconds: TypeAlias = tuple[float, float] | None
"""At best and at worst use of the devices; None = unknown."""
Source: TypeAlias = Literal["counted", "given", "assumed"]
"""Where the tokens of the longest prompt are from."""
PROMPT = 4096
"""Tokens of a prompt where none can be counted: the limit that RM-R1 and J1 train with."""
USE = (0.5, 0.2)
"""Share of a device's peak that training reaches, at best and at worst."""


class Hardware(Options):
    """The devices that a run is planned for."""

    gpus: Annotated[int, Field(ge=1)] | None = None
    """Devices, all machines together; None = as many as the run launches processes."""
    gpu_memory: Annotated[float, Field(gt=0)] | None = None
    """Memory of one device, in GiB; None = not given, and nothing is refused."""
    tflops: Annotated[float, Field(gt=0)] | None = None
    """Peak of one device in bfloat16, in 10^12 operations a second; None = unknown, and so is the time of training steps."""
    prompt_tokens: Annotated[int, Field(gt=0)] | None = None
    """Tokens of the longest prompt; None = the longest that can be counted, else 4,096."""


@dataclass(frozen=True, slots=True)
class DeviceTable:
    """What a run holds on a device, phase by phase, and how long it computes."""

    model: ModelSize
    devices: int
    sequence: int
    """Tokens of the longest sequence: prompt and judgement."""
    prompt: int
    """Tokens of the longest prompt."""
    source: Source
    phases: tuple[Phase, ...]
    unknown: tuple[str, ...]
    """Stages that do not say what they hold."""
    training_seconds: Seconds
    """Of all training steps, at most."""

    def check(self, memory: float) -> None:
        """Raise `ConfigError` where a phase cannot fit into so many GiB, with the largest of its parts and what would take less."""
        tight = [phase for phase in self.phases if phase.fits(memory * GIB) is False]
        if not tight:
            return
        phase = max(tight, key=lambda one: one.total[0] / one.share)
        largest = sorted(phase.parts.items(), key=lambda part: -part[1][0])[:3]
        told = ", ".join(f"{name} {sizes[0] / GIB:.1f}" for name, sizes in largest)
        share = f", of which this may take {memory * phase.share:.1f}" if phase.share < 1 else ""
        assumed = self.source == "assumed"
        prompts = f" Prompts were assumed to have up to {self.prompt:,} tokens." if assumed else ""
        remedies = (*phase.remedies, *(("say how long prompts are (--prompt-tokens)",) if assumed else ()))
        raise ConfigError(
            f"stage {phase.stage}, {phase.what}: needs at least {phase.total[0] / GIB:.1f} GiB of every device ({told}); one has"
            f" {memory:g}{share}, and there {'are' if self.devices > 1 else 'is'} {self.devices}.{prompts}\n"
            f"  Remedy: {', or '.join(remedies)}."
        )

    def to_json(self, memory: float | None) -> dict[str, Json]:
        phases = [
            {
                "stage": phase.stage, "what": phase.what, "total": phase.total, "parts": dict(phase.parts), "share": phase.share,
                "uncounted": list(phase.uncounted), "fits": None if memory is None else phase.fits(memory * GIB),
            }
            for phase in self.phases
        ]  # fmt: skip
        return {
            "parameters": self.model.parameters, "devices": self.devices, "sequence": self.sequence, "prompt": self.prompt,
            "prompt_counted": self.source == "counted",
            "phases": phases, "unknown": list(self.unknown), "training_seconds": self.training_seconds,
        }  # fmt: skip


def device_table(
    run: RunInfo, model: ModelSize, works: Sequence[Work], problems: Sequence[Problem] | None, hardware: Hardware
) -> DeviceTable:
    """What a run holds and computes; `works` are those of its stages, `problems` None where they are unknown.

    Raises `ConfigError` where it cannot be shared out over so many devices.
    """
    prompt, source = _longest_prompt(run, problems, hardware)
    sequence, devices = prompt + run.judge.max_new_tokens, hardware.gpus or devices_of(run)
    _check_devices(run, works, devices, given=hardware.gpus is not None)
    found, unknown = list(_sampling(run, model, sequence, works, hardware.gpus)), list[str]()
    seconds: Seconds = None if hardware.tflops is None else (0.0, 0.0)
    for stage, work in zip(stage_names(run)[1:], works, strict=True):
        if work.training is None:
            unknown.append(stage)
            continue
        load = with_sharding(run.config.launch, work.training)
        found += training(stage, model, load, sequence, devices, prompt)
        seconds = _longer(seconds, model, load, sequence, devices, hardware.tflops)
    if not found and not unknown:
        unknown.append(f"engine {run.config.engine.use}")
    return DeviceTable(model, devices, sequence, prompt, source, tuple(found), tuple(unknown), None if unknown else seconds)


def _check_devices(run: RunInfo, works: Sequence[Work], devices: int, *, given: bool) -> None:
    """Raise `ConfigError` where a stage cannot be shared out over the devices, one process on each."""
    for index, (trainer, work) in enumerate(zip(run.config.stages, works, strict=True)):
        try:
            if given:
                trainer.check_processes(devices)
        except ValueError as error:
            raise ConfigError(f"stages.{index}: {error}.\n  Remedy: change that, or plan for other devices (--gpus).") from None
        load = None if work.training is None else work.training.rollouts
        if isinstance(load, Sampling) and devices % load.tensor_parallel:
            _refuse_devices(f"stages.{index}: rollouts are sampled", load, devices, "a multiple")


def _refuse_devices(who: str, load: Sampling, devices: int, enough: str) -> None:
    there = f"there {'are' if devices > 1 else 'is'} {devices}"
    how = f"by layers that are spread over {load.tensor_parallel} devices"
    if load.data_parallel > 1:
        how = f"by {load.data_parallel} copies of the model, on {load.data_parallel * load.tensor_parallel} devices"
    raise ConfigError(f"{who} {how}, and {there}.\n  Remedy: take fewer, or plan for {enough} (--gpus).")


def devices_of(run: RunInfo) -> int:
    """As many devices as the run launches processes, each of them with one."""
    return 1 if run.config.launch is None else run.config.launch.processes


def with_sharding(launch: Launcher | None, load: Training) -> Training:
    """The same, with what the run's launcher shards over its devices."""
    from adjudge_launch import AccelerateLauncher
    from adjudge_trl import sharding_of_accelerate

    if launch is None:
        return load
    if not isinstance(launch, AccelerateLauncher):
        return replace(load, uncounted=(*load.uncounted, f"launcher {launch.use}"))
    found = sharding_of_accelerate(launch.accelerate())
    load = replace(load, uncounted=load.uncounted + found.uncounted, checkpointing=load.checkpointing or found.checkpointing)
    if found.kind == "nothing":
        return load
    return replace(
        load, sharded=found.kind, replicas=launch.machines if found.by_machine else 1, offload=found.offload,
        defers=load.defers and not found.each_batch,
    )  # fmt: skip


def _sampling(run: RunInfo, model: ModelSize, sequence: int, works: Sequence[Work], gpus: int | None) -> Iterator[Phase]:
    with boundary(run.config.engine, "sampling_load"):
        load = run.config.engine.sampling_load(sequence)
    if load is None:
        return
    if gpus is not None and load.tensor_parallel * load.data_parallel > gpus:
        _refuse_devices(f"engine: {run.config.engine.use} samples", load, gpus, "more")
    saved = [work.training.saved_bytes or 0.0 for work in works if work.training is not None]
    yield sampling("all", model, load, f"sampling ({run.config.engine.use})", max(saved, default=0.0))


def _longest_prompt(run: RunInfo, problems: Sequence[Problem] | None, hardware: Hardware) -> tuple[int, Source]:
    if hardware.prompt_tokens is not None:
        return hardware.prompt_tokens, "given"
    counts = None if problems is None or not run.base.exists() else prompt_counts(problems, run.judge, run.config.engine, run.base)
    return (max(counts), "counted") if counts else (PROMPT, "assumed")


def _longer(seconds: Seconds, model: ModelSize, load: Training, sequence: int, devices: int, tflops: float | None) -> Seconds:
    """The seconds with those of one more stage; None where its sequences, or the devices' peak, are unknown."""
    if seconds is None or tflops is None or load.sequences is None:
        return None
    whole = training_flops(model, load, sequence, load.sequences[1]) / (devices * tflops * 1e12)
    return seconds[0] + whole / USE[0], seconds[1] + whole / USE[1]

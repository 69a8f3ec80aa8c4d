"""The launcher `ray`: a stage's sampling, scoring and evaluation ask engines all over a cluster; accelerate trains, as without Ray."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

from adjudge import Json, StageContext
from adjudge_launch import AccelerateLauncher

from .options import ClusterOptions, check_installed


class RayLauncher(ClusterOptions, AccelerateLauncher):
    """Every stage's engine on a Ray cluster, its training through accelerate on this machine; this machine alone writes the run folder."""

    use: Literal["ray"] = "ray"
    spreads_engines: ClassVar[bool] = True

    def check(self) -> None:
        check_installed()
        super().check()

    def launch(self, stage: StageContext, task: Json, written: Callable[[str, int | None, Mapping[str, Json]], None]) -> Json:
        config = dict(task["config"])
        if not (stage.engine.ignores_model_folder or stage.engine.use == "ray"):
            own = {name: getattr(self, name) for name in ClusterOptions.model_fields}
            config["engine"] = {"use": "ray", **own, "engine": config["engine"]}
        return super().launch(stage, {**task, "config": config}, written)

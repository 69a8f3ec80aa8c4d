"""Soft verdicts: judges that say how sure they are, judges made of judges, and what they learn from pairs: the command `adjudge fit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command, Judge, Probe

    from .agreement import dawid_skene, krippendorff_alpha, weights_of
    from .calibration import brier, calibration_error, cross_fitted, fit_temperature, forecasts, reliability
    from .cascade import Cascade
    from .direct import Direct
    from .fitting import fit
    from .inner_judges import JudgeOfJudges
    from .margins import fit_margins
    from .member import Member, members_open
    from .members import Members, decided_by
    from .panel import Panel
    from .probe import Calibration
    from .rubric import Criterion, Rubric
    from .soft import Soft

__all__ = [
    "Calibration", "Cascade", "Criterion", "Direct", "JudgeOfJudges", "Member", "Members", "Panel", "Rubric", "Soft", "brier",
    "calibration_error", "cross_fitted", "dawid_skene", "decided_by", "fit", "fit_margins", "fit_temperature", "forecasts",
    "krippendorff_alpha", "members_open", "reliability", "weights_of",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_judges() -> list[type[Judge]]:
    from .cascade import Cascade
    from .direct import Direct
    from .panel import Panel
    from .rubric import Rubric
    from .soft import Soft

    return [Direct, Soft, Cascade, Panel, Rubric]


@hookimpl
def register_probes() -> list[type[Probe]]:
    from .members import Members
    from .probe import Calibration

    return [Calibration, Members]


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from .command import EXAMPLE, fit

    return [Command("fit", fit, EXAMPLE)]

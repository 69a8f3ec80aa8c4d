"""Says before the first call what a run or a call will take: judgements, tokens, memory, time and cost. Docs: decisions/0012, 0018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command, RunInfo

    from .dry_run import show_call_plan
    from .loads import Sampling, Training
    from .plan import Part, Plan, Rates, plan_judging, plan_run, rates
    from .rehearsal import plan_ranking

__all__ = [
    "Part",
    "Plan",
    "Rates",
    "Sampling",
    "Training",
    "plan_judging",
    "plan_ranking",
    "plan_run",
    "rates",
    "show_call_plan",
]
__getattr__ = lazy_names(__name__)


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from .command import EXAMPLE, plan

    return [Command("plan", plan, EXAMPLE)]


@hookimpl(tryfirst=True)
def run_started(run: RunInfo) -> None:
    """Write the run's plan before anybody else is told that it starts."""
    from .plan import write_plan

    write_plan(run)

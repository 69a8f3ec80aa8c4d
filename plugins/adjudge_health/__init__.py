"""How healthy a judge is: probes of what should not change a verdict, figures of its verdicts, and the command `adjudge health`.

docs/health.md explains every figure. A plugin adds a part to the report with a `Probe` of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command, Probe, RewardRule

    from .attacks import MARKUP, OPENERS, Attack, Markup, Openers
    from .findings import findings
    from .leans import Leans
    from .length import Length, correlation
    from .meta_judge import MetaJudge
    from .planted import Biases, planted_pairs, planted_paths
    from .position import Position
    from .reasons import Corrected, Reasoning, Transitivity
    from .report import report_on
    from .units import JudgedPair, judged_pairs, metric
    from .verdicts import Accuracy, Outcomes
    from .votes import Agreement, Votes

__all__ = [
    "MARKUP", "OPENERS", "Accuracy", "Agreement", "Attack", "Biases", "Corrected", "JudgedPair", "Leans", "Length", "Markup",
    "MetaJudge", "Openers", "Outcomes", "Position", "Reasoning", "Transitivity", "Votes", "correlation", "findings", "judged_pairs",
    "metric", "planted_pairs", "planted_paths", "report_on",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_probes() -> list[type[Probe]]:
    from .attacks import Markup, Openers
    from .leans import Leans
    from .length import Length
    from .position import Position
    from .reasons import Corrected, Reasoning, Transitivity
    from .verdicts import Accuracy, Outcomes
    from .votes import Agreement, Votes

    return [
        Outcomes, Accuracy, Position, Leans, Length, Votes, Agreement, Reasoning, Transitivity, Corrected, Openers, Markup,
    ]  # fmt: skip


@hookimpl
def register_reward_rules() -> list[type[RewardRule]]:
    from .meta_judge import MetaJudge

    return [MetaJudge]


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from .command import EXAMPLE, health

    return [Command("health", health, EXAMPLE)]

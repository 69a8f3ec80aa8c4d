"""How healthy a judge is: probes of what should not change a verdict, figures of its verdicts, and the command `adjudge health`.

docs/health.md explains every figure. A plugin adds a part to the report with a `Probe` of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command, Probe

    from .attacks import MARKUP, OPENERS, Attack, Markup, Openers
    from .length import Length, correlation
    from .position import Position
    from .report import report_on
    from .units import JudgedPair, judged_pairs, metric
    from .verdicts import Accuracy, Outcomes
    from .votes import Agreement, Votes

__all__ = [
    "MARKUP", "OPENERS", "Accuracy", "Agreement", "Attack", "JudgedPair", "Length", "Markup", "Openers", "Outcomes", "Position", "Votes",
    "correlation", "judged_pairs", "metric", "report_on",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_probes() -> list[type[Probe]]:
    from .attacks import Markup, Openers
    from .length import Length
    from .position import Position
    from .verdicts import Accuracy, Outcomes
    from .votes import Agreement, Votes

    return [Outcomes, Accuracy, Position, Length, Votes, Agreement, Openers, Markup]


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from .command import EXAMPLE, health

    return [Command("health", health, EXAMPLE)]

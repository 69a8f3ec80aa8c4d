"""Who watches a run: `progress` on the terminal, `html` as one self-contained page with plots, `card` beside every model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command, Reporter

    from .card import Card
    from .count import Count
    from .display import ProgressDisplay
    from .html import Html
    from .notebook import ShownRun, ranking_html, verdict_html
    from .phrases import duration, snippet
    from .progress import Progress
    from .ran import options_line
    from .readable import Readability, check_readable
    from .scaling import write_scaling
    from .siblings import eligibility_rule, why_kept, why_not_scored

__all__ = [
    "Card",
    "Count",
    "Html",
    "Progress",
    "ProgressDisplay",
    "Readability",
    "ShownRun",
    "check_readable",
    "duration",
    "eligibility_rule",
    "options_line",
    "ranking_html",
    "snippet",
    "verdict_html",
    "why_kept",
    "why_not_scored",
    "write_scaling",
]
__getattr__ = lazy_names(__name__)


@hookimpl
def register_reporters() -> list[type[Reporter]]:
    from .card import Card
    from .html import Html
    from .progress import Progress

    return [Progress, Html, Card]


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from .command import EXAMPLE, report

    return [Command("report", report, EXAMPLE)]

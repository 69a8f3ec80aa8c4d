"""Ways of judging: how a verdict is asked for, with long prompts as texts beside the code, and how it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Judge

    from .arena_hard import ArenaHard
    from .arithmetic import ArithmeticJudge
    from .best_response import BestResponse, best_letter
    from .llmbar import LlmBar
    from .marks import read_marks
    from .mt_bench import MtBench
    from .pairwise_plain import PairwisePlain
    from .ratings import RatedVerdict, RatesAlone
    from .rm_r1 import RmR1
    from .rrm import Rrm
    from .scale import Scale
    from .thinking import end_of_thinking, is_thinking_mark, opened_by, opened_by_template
    from .written_judge import ScorePatterns, TemplateJudge, VerdictPatterns

__all__ = [
    "ArenaHard", "ArithmeticJudge", "BestResponse", "LlmBar", "MtBench", "PairwisePlain", "RatedVerdict", "RatesAlone", "RmR1",
    "Rrm", "Scale", "ScorePatterns", "TemplateJudge", "VerdictPatterns", "best_letter", "end_of_thinking", "is_thinking_mark",
    "opened_by", "opened_by_template", "read_marks",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_judges() -> list[type[Judge]]:
    from .arena_hard import ArenaHard
    from .arithmetic import ArithmeticJudge
    from .best_response import BestResponse
    from .llmbar import LlmBar
    from .mt_bench import MtBench
    from .pairwise_plain import PairwisePlain
    from .rm_r1 import RmR1
    from .rrm import Rrm
    from .scale import Scale
    from .written_judge import TemplateJudge

    return [PairwisePlain, Rrm, RmR1, MtBench, ArenaHard, LlmBar, BestResponse, Scale, TemplateJudge, ArithmeticJudge]

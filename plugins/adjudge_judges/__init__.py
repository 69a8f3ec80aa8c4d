"""Ways of judging: how a verdict is asked for, with long prompts as texts beside the code, and how it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Judge

    from .arena_hard import ArenaHard
    from .arithmetic import ArithmeticJudge
    from .asking import Asking, NoRoom, asked_together, read_verdicts, sigmoid, until
    from .best_response import BestResponse, best_letter
    from .form import Blank
    from .listed import Listed, ListedSession, read_listed, tells_given_tokens
    from .llmbar import LlmBar
    from .marks import GAP, read_marks, read_statement
    from .mt_bench import MtBench
    from .pairwise_plain import PairwisePlain
    from .ratings import RatedVerdict, RatesAlone
    from .reading_session import DirectSession, Reading, ReadingSession, noted, read_paths
    from .rm_r1 import RmR1
    from .rrm import Rrm
    from .scale import Scale
    from .thinking import closing_mark, end_of_thinking, is_thinking_mark, opened_by, opened_by_template
    from .verdict_words import (
        longest_judgement,
        needs_given_tokens,
        needs_logprobs,
        probability_of,
        tokens_at_most,
        tokens_spent,
        verdict_texts,
    )
    from .worded_judge import FreelyWordedJudge, WordedJudge
    from .written_judge import ScorePatterns, TemplateJudge, VerdictPatterns

__all__ = [
    "GAP", "ArenaHard", "ArithmeticJudge", "Asking", "BestResponse", "Blank", "DirectSession", "FreelyWordedJudge", "Listed",
    "ListedSession", "LlmBar", "MtBench", "NoRoom", "PairwisePlain", "RatedVerdict", "RatesAlone", "Reading", "ReadingSession", "RmR1",
    "Rrm", "Scale", "ScorePatterns", "TemplateJudge", "VerdictPatterns", "WordedJudge", "asked_together", "best_letter", "closing_mark",
    "end_of_thinking", "is_thinking_mark", "longest_judgement", "needs_given_tokens", "needs_logprobs", "noted", "opened_by",
    "opened_by_template", "probability_of", "read_listed", "read_marks", "read_paths", "read_statement", "read_verdicts", "sigmoid",
    "tells_given_tokens", "tokens_at_most", "tokens_spent", "until", "verdict_texts",
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

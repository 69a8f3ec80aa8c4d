"""Scores for which the model reads more than the path as it stands: with less before it, without the path, or a question about it.

Log-probabilities are in nats at temperature 1. Higher is better everywhere, and no scorer here looks at a label.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from adjudge import Outcome, PathScorer, Problem, ReasoningPath, Score, Session

from .asking import common, ids_before, ids_of, judge_of, last_logprobs, prompts, with_verdict
from .windows import mean

STEP = re.compile(r".+?(?:[.!?;]?\n+|[.!?;](?=\s)|$)", re.DOTALL)


class Passes(PathScorer):
    """The base of scorers that have the model score tokens which they put together."""

    needs: ClassVar[str] = "an engine that scores given tokens"
    statistics: ClassVar[frozenset[str]] = frozenset({"logprob"})


class VerdictMargin(Passes):
    """log P(verdict) − log P(other verdict) at the first token in which the two differ, in nats: its size is |log P(A) − log P(B)|.

    The margin of LLM-as-a-Verifier (2607.05391), read at the end of a path that reasoned. Unbounded; below 0 where the path names
    the answer that the model itself holds for the less likely one. A verdict of which the other one cannot be written has no score."""

    use: Literal["verdict-margin"] = "verdict-margin"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        judge = judge_of(session, self)
        asked = prompts(judge, problem, paths)
        found = []
        for path in paths:
            own, other = (with_verdict(judge, path, one) for one in (path.verdict.outcome, path.verdict.outcome.mirrored))
            if path.outcome not in (Outcome.FIRST, Outcome.SECOND) or own is None or other is None:
                found.append(Score(path.id, None))
                continue
            ids = [ids_of(session, text) for text in (own, other)]
            alike = common(*ids)
            ends = [one[: alike + 1] for one in ids]
            if min(map(len, ends)) <= alike:  # one is the beginning of the other
                found.append(Score(path.id, None))
                continue
            (stated,), (turned,) = last_logprobs(session, asked[path.order], ends, (1, 1))
            found.append(Score(path.id, stated - turned, {"stated": stated, "other": turned}))
        return found


class LocalLogprob(Passes):
    """LALP (2510.03988): mean over steps of (1/|step|) log p(step | the question and the few steps before it); at most 0.

    In nats per token. A sampler is sure of the style that it has been writing in all along; with only the last steps in view a step has
    to be likely by itself, so that paths of different samplers can be compared, where a likelihood over the whole path fails. A step ends
    with a sentence or a line. Ours: the judge's prompt stays in view."""

    use: Literal["local-logprob"] = "local-logprob"
    window: Annotated[int, Field(ge=0)] = 1
    """Steps before the one that is scored which the model sees."""

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        asked = prompts(judge_of(session, self), problem, paths)
        return [self._score(path, asked[path.order], session) for path in paths]

    def _score(self, path: ReasoningPath, prompt: Any, session: Session) -> Score:
        steps = steps_of(path)
        if not steps:
            return Score(path.id, None)
        seen = [[token for one in steps[max(0, index - self.window) : index + 1] for token in one] for index in range(len(steps))]
        rows = last_logprobs(session, prompt, seen, [len(step) for step in steps])
        return Score(path.id, mean([mean(row) for row in rows]), {"steps": float(len(steps))})


def steps_of(path: ReasoningPath) -> list[list[int]]:
    """The tokens of every step of the reasoning, in order: sentences and lines."""
    start, stop = path.verdict.reasoning or (0, 0)
    spans = [found.span() for found in STEP.finditer(path.completion.text, start, stop)]
    ids = [[path.completion.token_ids[place] for place in path.completion.tokens_in(span)] for span in spans]
    return [one for one in ids if one]


class PathGain(Passes):
    """mean log q(verdict after the path) − mean log q(verdict without it), in nats per token: what the reasoning adds to its verdict.

    The correction of RLPR (2506.18254) used alone, on the path's own answer. Unbounded; about 0 for a path that made no difference."""

    use: Literal["path-gain"] = "path-gain"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        asked = prompts(judge_of(session, self), problem, paths)
        return [self._score(path, asked[path.order], session) for path in paths]

    def _score(self, path: ReasoningPath, prompt: Any, session: Session) -> Score:
        answer = [path.completion.token_ids[place] for place in path.completion.tokens_in(path.verdict.answer)]
        if not answer:
            return Score(path.id, None)
        after, without = last_logprobs(session, prompt, [[*ids_before(path), *answer], answer], [len(answer)] * 2)
        return Score(path.id, mean(after) - mean(without), {"after": mean(after), "without": mean(without)})


class PTrue(Passes):
    """P(yes) / (P(yes) + P(no)) of the model asked about its own judgement, in [0, 1]: P(True) of 2207.05221, a baseline of 2508.21787.

    The judgement stands as the assistant's turn, the question as the user's next one; a chat template without further turns cannot."""

    use: Literal["p-true"] = "p-true"
    question: str = "Is the verdict of this judgement right? Answer with yes or no."
    """What is asked after the judgement."""
    yes: Annotated[str, Field(min_length=1)] = "yes"
    """The answer whose probability is the score."""
    no: Annotated[str, Field(min_length=1)] = "no"
    """The answer that it is held against."""

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        asked = prompts(judge_of(session, self), problem, paths)
        answers = [ids_of(session, self.yes), ids_of(session, self.no)] if paths else []
        found = []
        for path in paths:
            turns = [{"role": "assistant", "content": path.completion.text}, {"role": "user", "content": self.question}]
            yes, no = map(math.fsum, last_logprobs(session, [*asked[path.order], *turns], answers, [len(one) for one in answers]))
            found.append(Score(path.id, 1 / (1 + math.exp(min(700.0, no - yes))), {"yes": yes, "no": no}))
        return found


class LongPpl(Passes):
    """−exp(mean NLL) over the *key* tokens of the reasoning (PKU-ML/LongPPL); at most −1. Does the judge use what it was shown?

    A key token is much likelier with the whole prompt than with a short one: log p(whole) − log p(short) > `gain`, and −log p(whole) <
    `loss`. The authors' short prompt is the end of the text; a judge's is the question without the answers, so key tokens are those
    that the answers explain. A path without key tokens has no score."""

    use: Literal["longppl"] = "longppl"
    gain: float = 2.0
    """Nats by which a key token is likelier with the answers in view."""
    loss: Annotated[float, Field(gt=0)] = 2.0
    """Nats of loss with the answers in view above which a token is no key token."""

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        judge = judge_of(session, self)
        whole, short = (prompts(judge, one, paths) for one in (problem, replace(problem, answers=("",) * len(problem.answers))))
        return [self._score(path, whole[path.order], short[path.order], session) for path in paths]

    def _score(self, path: ReasoningPath, whole: Any, short: Any, session: Session) -> Score:
        places = path.completion.tokens_in(path.verdict.reasoning)
        if not places:
            return Score(path.id, None)
        [full], [less] = (session.logprobs(prompt, [path.completion.token_ids]) for prompt in (whole, short))
        key = [full[place] for place in places if full[place] - less[place] > self.gain and -full[place] < self.loss]
        return Score(path.id, -math.exp(-mean(key)) if key else None, {"key_tokens": float(len(key))})

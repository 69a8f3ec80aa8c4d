"""The typed routes: ``/v1/judge``, ``/v1/rank`` and ``/v1/reward``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter

from adjudge import PairVerdict, Problem, TournamentResult, as_reward, stable_id
from adjudge_rewards import RewardCall, Said, answer_text, prompt_text

from .schemas import Answers, Judgement, Message, Outcomes, Pair, PairOutcome, Pairs, Ranked, RewardRequest, Rewards, Sample
from .service import Service


def routes(service: Service) -> APIRouter:
    """The routes of this service."""
    router = APIRouter(prefix="/v1", tags=["v1"])

    @router.post("/judge")
    async def judge(body: Pair | Pairs) -> Outcomes:
        """Which of two answers is better, for a pair or for several."""
        pairs = [_problem(pair.prompt, pair.answers) for pair in (body.pairs if isinstance(body, Pairs) else [body])]
        differ = [pair for pair in pairs if len(set(pair.answers)) == 2]
        verdicts = await service.in_time(2 * len(pairs), service.batches.run(lambda: service.reward.judge.judge(differ)))
        told = iter([_outcome(verdict) for verdict in verdicts])
        return Outcomes(verdicts=[next(told) if len(set(pair.answers)) == 2 else SAME for pair in pairs])

    @router.post("/rank")
    async def rank(body: Answers) -> Ranked:
        """The answers to one prompt in order, by the reward's own aggregator, votes and budget."""
        problem = _problem(body.prompt, body.answers)
        [result] = await service.in_time(len(body.answers), service.batches.run(lambda: service.reward.rank([problem])))
        return _ranked(result, as_reward(result, service.reward.how))

    @router.post("/reward")
    async def reward(body: RewardRequest) -> Rewards:
        """A reward for every completion, among those of its group; whole groups in one request."""
        prompts, completions = [_said(prompt) for prompt in body.prompts], [_said(one) for one in body.completions]
        answer = await service.judged(RewardCall(prompts, completions, body.groups, body.anchors))
        samples = [
            Sample.model_construct(value=one.value, absolute=one.absolute, reason=one.reason, tokens=one.tokens, seconds=one.seconds)
            for one in answer.rewards
        ]
        return Rewards.model_construct(rewards=samples, metrics=answer.metrics)

    return router


SAME = PairOutcome(outcome="tie", judgements=[])
"""Of two answers with the same text, which are not judged."""


def _said(text: str | Sequence[Message]) -> Said:
    return text if isinstance(text, str) else [{"role": one.role, "content": one.content} for one in text]


def _problem(prompt: str | Sequence[Message], answers: Sequence[str | Sequence[Message]]) -> Problem:
    asked = prompt_text(_said(prompt), "the prompt")
    texts = tuple(answer_text(_said(answer), f"answer {number}") for number, answer in enumerate(answers, 1))
    return Problem(stable_id("request", asked, *texts), asked, texts)


def _outcome(verdict: PairVerdict) -> PairOutcome:
    judgements = [
        Judgement(
            order=path.order,
            outcome=path.outcome.value,
            text=path.completion.text,
            tokens=len(path.completion.token_ids),
            error=path.completion.error,
        )
        for path in verdict.paths
    ]
    outcome: Any = verdict.outcome.value
    return PairOutcome(outcome=outcome, judgements=judgements)


def _ranked(result: TournamentResult, rewards: Sequence[float | None]) -> Ranked:
    return Ranked(
        order=list(result.ranking.order),
        ratings=list(result.ranking.ratings),
        rewards=list(rewards),
        matches=len(result.played),
        tokens=sum(one.tokens for one in result.played),
        stopped=None if result.stopped is None else str(result.stopped),
    )

"""Turns problems into judgements: which orders are asked, with which seeds, and what an unfinished or failed call becomes.

The one place where completions become verdicts, used by evaluation, tournaments and stage trainers alike.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .components import Judge, Metrics, RewardRule, Session
from .config import dump
from .errors import ConfigError, JobError, PluginError, blamed_on, number_or_none
from .records import Completion, Json, Message, Order, Outcome, Path, Problem, Verdict, stable_id, stable_seed

BARS = re.compile("<[|｜].+[|｜]>")
"""Chat markup of most models, whether or not they call it special."""


class PromptTooLong(ConfigError):
    """A prompt does not fit the model; engines raise it with the prompt's index before they sample anything."""

    def __init__(self, index: int, tokens: int, context: int, max_new_tokens: int) -> None:
        self.index = index
        super().__init__(
            f"its prompt has {tokens} tokens; the model takes {context} in all, of which max_new_tokens keeps {max_new_tokens}.\n"
            "  Remedy: lower judge.max_new_tokens, shorten or drop the problem, or use a model with a longer context."
        )


class NotANumber(JobError):
    """A model gave a log-probability that is no number; what it says about this path means nothing."""

    def __init__(self, problem: Problem, prompt: list[Message], path: Path) -> None:
        self.prompt, self.path = prompt, path
        super().__init__(
            f"problem {problem.id}: the model gives a token the log-probability {_not_a_number(path.completion.logprobs)}.\n"
            "  Remedy: see whether its weights are whole and its precision (engine.dtype) is enough; finished records are kept."
        )


def _not_a_number(logprobs: Sequence[float] | None) -> float | None:
    return next((value for value in logprobs or () if math.isnan(value)), None)


def check_pairs(problems: Sequence[Problem], where: str, *, labelled: bool) -> None:
    """Raise `ConfigError` unless every problem has an id of its own, two answers and, where asked for, a label."""
    seen: set[str] = set()
    for problem in problems:
        if problem.id in seen:
            raise ConfigError(f"{where}: two problems have the id {problem.id!r}.\n  Remedy: give every problem an id of its own.")
        seen.add(problem.id)
        if len(problem.answers) != 2 or problem.label not in (None, 0, 1):
            raise ConfigError(
                f"{where}: problem {problem.id} has {len(problem.answers)} answers and the label {problem.label};"
                " a judge takes two answers.\n"
                "  Remedy: leave it out, or rank its answers with 'adjudge rank'."
            )
        if labelled and problem.label is None:
            raise ConfigError(
                f"{where}: problem {problem.id} has no label, so nothing can be right about it.\n  Remedy: label it, or leave it out."
            )


@dataclass(frozen=True, slots=True)
class Ask:
    """One judgement to be made."""

    id: str
    seed: int
    problem: Problem
    order: Order
    index: int


def plan_asks(problems: Iterable[Problem], judge: Judge, *, samples: int = 1, seed: int = 0, purpose: Json = "") -> list[Ask]:
    """Every judgement of these problems under the judge's order policy, with ids that depend on inputs, options and seed."""
    options = dump(judge)
    asks = []
    for problem in problems:
        key = [problem.id, problem.prompt, problem.answers, options, seed, purpose]
        for index in range(samples):
            for order in _orders(judge, stable_seed("order", *key, index)):
                ident = stable_id(*key, order, index)
                asks.append(Ask(ident, stable_seed("sample", ident), problem, order, index))
    return asks


def count_asks(problems: int, judge: Judge, samples: int = 1) -> int:
    """How many judgements so many problems take under the judge's order policy."""
    return problems * samples * (2 if judge.order == "both" else 1)


def _orders(judge: Judge, seed: int) -> tuple[Order, ...]:
    if judge.order == "both":
        return ("given", "swapped")
    if judge.order == "random":
        return ("swapped",) if seed % 2 else ("given",)
    return ("given",)


def sample_paths(session: Session, judge: Judge, asks: Sequence[Ask]) -> Iterator[Path]:
    """The judgements asked for, as they finish."""
    if not asks:
        return
    with blamed_on(judge, "prompt"):
        prompts = [judge.ask(ask.problem, ask.order) for ask in asks]
    try:
        sampled = session.sample(
            prompts,
            seeds=[ask.seed for ask in asks],
            temperature=judge.temperature,
            top_p=judge.top_p,
            max_new_tokens=judge.max_new_tokens,
        )
        for index, completion in _one_each(sampled, len(asks)):
            ask = asks[index]
            path = Path(ask.id, ask.problem.id, ask.order, ask.index, completion, read_verdict(judge, completion))
            if _not_a_number(completion.logprobs) is not None:
                raise NotANumber(ask.problem, prompts[index], path)
            yield path
    except PromptTooLong as error:
        raise ConfigError(f"problem {asks[error.index].problem.id}: {error}") from None


def _one_each(sampled: Iterable[tuple[int, Completion]], size: int) -> Iterator[tuple[int, Completion]]:
    """What an engine sampled, checked: one completion for every prompt."""
    remedy = (
        "\n  Remedy: an engine yields one completion for every prompt, with the prompt's index; a call that failed is one with `error`."
    )
    waiting = set(range(size))
    for index, completion in sampled:
        if index not in waiting:
            raise PluginError(f"the engine's sample() answered prompt {index} of {size} twice, or there is no such prompt.{remedy}")
        waiting.remove(index)
        yield index, completion
    if waiting:
        raise PluginError(f"the engine's sample() left {len(waiting)} of {size} prompts without a completion.{remedy}")


def defused(messages: Sequence[Message], tokenizer: Any) -> list[Message]:
    """The chat turns with a space in every token of chat markup that stands in their text: special ones, and what stands between bars.

    An answer that holds ``<|im_end|>`` would otherwise end the user's turn and could speak for the judge. DeepSeek's ``<｜Assistant｜>``
    does the same and is no special token. Other added tokens, such as ``<tool_call>``, begin no turn and stay as they are; for think-marks
    see `Judge.ask`. `tokenizer` is one of transformers'; engines and trainers that apply a chat template do so to defused turns.
    """
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    marks = {*tokenizer.all_special_tokens, *(token.content for token in added if token.special or BARS.fullmatch(token.content))}
    found = []
    for message in messages:
        text = message["content"]
        for mark in sorted(marks, key=len, reverse=True):
            text = text.replace(mark, f"{mark[0]} {mark[1:]}")
        found.append({**message, "content": text})
    return found


def read_verdict(judge: Judge, completion: Completion) -> Verdict:
    """What a completion says. One that ran into the token limit is *truncated* whatever it had written by then."""
    if completion.error is not None:
        return Verdict(Outcome.FAILED)
    if completion.truncated:
        return Verdict(Outcome.TRUNCATED)
    with blamed_on(judge, "parse"):
        verdict = judge.parse(completion.text)
        if not isinstance(verdict, Verdict):
            raise TypeError(f"it returned {verdict!r}, not a Verdict")
        return verdict


def with_logprobs(session: Session, judge: Judge, problem: Problem, paths: Sequence[Path]) -> list[Path]:
    """These paths of one problem with log-probabilities by the session's model; paths of one prompt are asked about together.

    A path without tokens is left as it is. Raises `PluginError` where an engine does not answer with one number per token.
    """
    found = {}
    for order in sorted({path.order for path in paths}):
        group = [path for path in paths if path.order == order and path.completion.token_ids]
        if not group:
            continue
        with blamed_on(judge, "prompt"):
            prompt = judge.ask(problem, order)
        try:
            values = session.logprobs(prompt, [path.completion.token_ids for path in group])
        except ConfigError as error:
            raise ConfigError(f"problem {problem.id}: {error}") from None
        if list(map(len, values)) != [len(path.completion.token_ids) for path in group]:
            raise PluginError(
                "the engine's logprobs() did not answer with one number for every token.\n"
                "  Remedy: an engine returns one list per continuation, in order, with one number per token."
            )
        for path, logprobs in zip(group, values, strict=True):
            found[path.id] = replace(path, completion=replace(path.completion, logprobs=tuple(logprobs)))
            if _not_a_number(logprobs) is not None:
                raise NotANumber(problem, prompt, found[path.id])
    return [found.get(path.id, path) for path in paths]


def combine(paths: Sequence[Path]) -> Outcome:
    """One outcome for one sample of a pair, asked in one order or both: orders that disagree are a tie."""
    outcomes = [path.outcome for path in paths]
    for outcome in outcomes:
        if not outcome.decided:
            return outcome
    return outcomes[0] if len(set(outcomes)) == 1 else Outcome.TIE


def wilson(right: int, n: int) -> tuple[float, float]:
    """Wilson's 95% interval for a share."""
    from scipy.stats import binomtest

    if n == 0:
        return (0.0, 1.0)
    interval = binomtest(right, n).proportion_ci(0.95, method="wilson")
    return (float(interval.low), float(interval.high))


def summarise(problems: Sequence[Problem], paths: Sequence[Path], measures: Sequence[RewardRule] = ()) -> Metrics:
    """Accuracy with its interval, the share of every outcome, mean tokens, and the mean of every measure where it applies.

    With ``order: both`` a problem counts as right when both orders are; `consistency` is the share of pairs that agree.
    """
    by_id = {problem.id: problem for problem in problems}
    groups: dict[tuple[str, int], list[Path]] = {}
    for path in paths:
        groups.setdefault((path.problem_id, path.index), []).append(path)
    labelled = [group for group in groups.values() if by_id[group[0].problem_id].label is not None]
    right = sum(all(path.right(by_id[path.problem_id]) for path in group) for group in labelled)
    counts = Counter(path.outcome for path in paths)
    metrics: Metrics = {
        "n": len(labelled),
        "judgements": len(paths),
        "accuracy": right / len(labelled) if labelled else None,
        "interval": wilson(right, len(labelled)),
        "outcomes": {outcome.value: counts[outcome] / max(1, len(paths)) for outcome in Outcome},
        "mean_tokens": mean_tokens(paths),
    }
    pairs = [group for group in groups.values() if len(group) == 2]
    if pairs:
        metrics["consistency"] = sum(combine(group) in (Outcome.FIRST, Outcome.SECOND) for group in pairs) / len(pairs)
    for rule in measures:
        metrics[rule.use] = mean_reward(rule, by_id, paths)
    return metrics


def mean_tokens(paths: Sequence[Path]) -> float | None:
    """Mean tokens of a judgement; None when the engine returned texts without tokens."""
    counts = [len(path.completion.token_ids) for path in paths if path.completion.error is None]
    return sum(counts) / len(counts) if any(counts) else None


def mean_reward(rule: RewardRule, problems: dict[str, Problem], paths: Iterable[Path]) -> float | None:
    """Mean of a rule over the paths that it applies to; None when it applies to none."""
    with blamed_on(rule, "reward"):
        rewards = [number_or_none(rule, "reward", rule.reward(problems[path.problem_id], path)) for path in paths]
    values = [reward for reward in rewards if reward is not None]
    return sum(values) / len(values) if values else None

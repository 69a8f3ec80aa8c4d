"""From a request to a path: the one place where completions become verdicts, in evaluation, tournaments and stages alike."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from adjudge.api.kinds import Judge, Session
from adjudge.api.values import Completion, JudgeRequest, Message, Outcome, Problem, ReasoningPath, Verdict
from adjudge.errors import ConfigError, JobError, PluginError, boundary


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

    def __init__(self, problem: Problem, prompt: list[Message], path: ReasoningPath) -> None:
        self.prompt, self.path = prompt, path
        super().__init__(
            f"problem {problem.id}: the model gives a token the log-probability {not_a_number(path.completion.logprobs)}.\n"
            "  Remedy: see whether its weights are whole and its precision (engine.dtype) is enough; finished records are kept."
        )


def not_a_number(logprobs: Sequence[float] | None) -> float | None:
    return next((value for value in logprobs or () if not math.isfinite(value)), None)


def sample_paths(session: Session, judge: Judge, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath]:
    """The judgements asked for, as they finish."""
    if not requests:
        return
    with boundary(judge, "prompt"):
        prompts = [judge.render(request.problem, request.order) for request in requests]
    try:
        settings = {"temperature": judge.temperature, "top_p": judge.top_p, "max_new_tokens": judge.max_new_tokens}
        sampled = session.sample(prompts, seeds=[request.seed for request in requests], **settings)  # type: ignore[arg-type]
        for index, completion in _one_each(sampled, len(requests)):
            request = requests[index]
            path = ReasoningPath(request.id, request.problem.id, request.order, request.index, completion, read_verdict(judge, completion))
            if not_a_number(completion.logprobs) is not None:
                raise NotANumber(request.problem, prompts[index], path)
            yield path
    except PromptTooLong as error:
        raise ConfigError(f"problem {requests[error.index].problem.id}: {error}") from None


def _one_each(sampled: Iterable[tuple[int, Completion]], size: int) -> Iterator[tuple[int, Completion]]:
    """What an engine sampled, checked: one completion for every prompt."""
    remedy = "\n  Remedy: an engine yields one completion for every prompt, with the prompt's index; a failed call is one with `error`."
    waiting = set(range(size))
    for index, completion in sampled:
        if index not in waiting:
            raise PluginError(f"the engine's sample() answered prompt {index} of {size} twice, or there is no such prompt.{remedy}")
        waiting.remove(index)
        yield index, plain(completion)
    if waiting:
        raise PluginError(f"the engine's sample() left {len(waiting)} of {size} prompts without a completion.{remedy}")


def plain(made: Completion) -> Completion:
    """The completion in Python's own numbers, of which an engine may have used numpy's or torch's."""
    if any(type(one) is not int for one in (*made.token_ids[:1], *made.token_ends[:1])):
        made = replace(made, token_ids=tuple(map(int, made.token_ids)), token_ends=tuple(map(int, made.token_ends)))
    if any(type(one) is not float for one in made.logprobs or ()):
        made = replace(made, logprobs=tuple(map(float, made.logprobs or ())))
    return made


def read_verdict(judge: Judge, completion: Completion) -> Verdict:
    """What a completion says. One that ran into the token limit is *truncated* whatever it had written by then."""
    if completion.error is not None:
        return Verdict(Outcome.FAILED)
    if completion.truncated:
        return Verdict(Outcome.TRUNCATED)
    with boundary(judge, "parse"):
        verdict = judge.parse(completion.text)
        if not isinstance(verdict, Verdict):
            raise TypeError(f"it returned {verdict!r}, not a Verdict")
        return verdict


def combine(paths: Sequence[ReasoningPath]) -> Outcome:
    """One outcome for one sample of a pair, in one order or both: failed if a call did, then undecided; a tie where orders disagree."""
    outcomes = sorted((path.outcome for path in paths), key=lambda outcome: (outcome is not Outcome.FAILED, outcome.decided))
    return outcomes[0] if not outcomes[0].decided or len(set(outcomes)) == 1 else Outcome.TIE

"""From a request to a path: the one place where completions become verdicts, in evaluation, tournaments and stages alike."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from adjudge.api.kinds import Judge, Session
from adjudge.api.values import Completion, JudgeRequest, Message, Outcome, Problem, ReasoningPath, Verdict
from adjudge.errors import ConfigError, JobError, PluginError, boundary


class PromptTooLong(ConfigError):
    """A prompt leaves no room in the model's context; engines give its text as the error of that one completion."""

    def __init__(self, index: int, tokens: int, context: int, max_new_tokens: int = 1) -> None:
        self.index = index
        super().__init__(
            f"its prompt has {tokens} tokens; the model takes {context} in all, and a judgement needs {max_new_tokens}.\n"
            "  Remedy: write judge.on_too_long (skip, truncate-middle), shorten or drop it, or use a model with a longer context."
        )


class NotANumber(JobError):
    """A model gave a log-probability that is no number; what it says about this path means nothing."""

    def __init__(self, problem: Problem, prompt: list[Message], path: ReasoningPath) -> None:
        self.prompt, self.path = prompt, path
        super().__init__(
            f"problem {problem.id}: the model gives a token the log-probability {not_a_number(path.completion.logprobs)}.\n"
            "  Remedy: see whether its weights are whole and its precision (engine.dtype) is enough; finished records are kept."
        )


SKIPPED = "skipped: its prompt leaves no room for a judgement"  # by `Judge.on_too_long`; making it again would change nothing


def not_a_number(logprobs: Sequence[float] | None) -> float | None:
    return next((value for value in logprobs or () if not math.isfinite(value)), None)


def sample_paths(session: Session, judge: Judge, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath]:
    """The judgements asked for, as they finish."""
    if not requests:
        return
    if (own := getattr(judge, "paths", lambda *_: None)(session, requests)) is not None:  # a judge that makes them in its own way
        return (yield from own)  # type: ignore[no-any-return]
    with boundary(judge, "prompt"):
        prompts = [fitting(session, judge, request) for request in requests]
    asked = [index for index, prompt in enumerate(prompts) if prompt is not None]
    for index in sorted({*range(len(prompts))} - {*asked}):
        yield _path(judge, requests[index], Completion("", error=SKIPPED))
    settings: dict[str, Any] = {"temperature": judge.temperature, "top_p": judge.top_p, "max_new_tokens": judge.max_new_tokens}
    settings |= {"stop": judge.stop} if judge.stop else {}
    seeds = [requests[index].seed for index in asked]
    sampled = session.sample([prompt for prompt in prompts if prompt is not None], seeds=seeds, **settings)
    for place, completion in _one_each(sampled, len(asked)):
        path = _path(judge, requests[asked[place]], completion)
        if not_a_number(completion.logprobs) is not None:
            raise NotANumber(requests[asked[place]].problem, prompts[asked[place]] or [], path)
        yield path


def _path(judge: Judge, request: JudgeRequest, completion: Completion) -> ReasoningPath:
    return ReasoningPath(request.id, request.problem.id, request.order, request.index, completion, read_verdict(judge, completion))


def fitting(session: Session, judge: Judge, request: JudgeRequest) -> list[Message] | None:
    """A request's prompt; where the session's `room()` says it is too long, None or that of texts without their middle."""
    prompt = judge.render(request.problem, request.order)
    room: Any = getattr(session, "room", lambda prompt: None)
    if judge.on_too_long == "fail" or (left := room(prompt)) is None or left > 0:
        return prompt
    if judge.on_too_long == "skip":
        return None
    problem = request.problem

    def shown(size: int) -> list[Message]:
        prompt, *answers = (_without_middle(text, size) for text in (problem.prompt, *problem.answers))
        return judge.render(replace(problem, prompt=prompt, answers=tuple(answers)), request.order)

    needed = min(judge.max_new_tokens, room(shown(0)) // 2)
    longest = max(map(len, (problem.prompt, *problem.answers)))
    return shown(max(0, bisect_left(range(longest), True, key=lambda size: room(shown(size)) < needed) - 1))


def _without_middle(text: str, size: int) -> str:
    """The text, or where it is longer than so many characters, its beginning and its end."""
    return text if len(text) <= size else f"{text[: size - size // 2]} […] {text[len(text) - size // 2 :]}"


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
    if completion.error is not None or completion.truncated:
        return Verdict(Outcome.TRUNCATED if completion.error is None else Outcome.FAILED, told=getattr(completion, "told", {}))
    with boundary(judge, "parse"):
        verdict, size = judge.parse(completion.opened + completion.text), len(completion.opened)
        if not isinstance(verdict, Verdict):
            raise TypeError(f"it returned {verdict!r}, not a Verdict")
        spans = [span and (max(0, span[0] - size), max(0, span[1] - size)) for span in (verdict.reasoning, verdict.answer)]
        return replace(verdict, reasoning=spans[0], answer=spans[1])


def combine(paths: Sequence[ReasoningPath]) -> Outcome:
    """One outcome for one sample of a pair, in one order or both: failed if a call did, then undecided; a tie where orders disagree."""
    outcomes = sorted((path.outcome for path in paths), key=lambda outcome: (outcome is not Outcome.FAILED, outcome.decided))
    return outcomes[0] if not outcomes[0].decided or len(set(outcomes)) == 1 else Outcome.TIE

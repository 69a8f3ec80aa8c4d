"""The reward rule `meta-judge`: another model says whether the reasoning behind a verdict is sound, where no program can tell.

R-Align (arXiv 2602.06763) has a meta-judge compare a judge's rationale with a written one. Here it is shown the question, both answers,
which of them is right, and the reasoning, and says whether that carries the verdict. It is a judge like any other inside: what it cannot
say is *unreadable*, *truncated* or *failed*, and no number. A wrong verdict is not asked about: no sound reasoning leads to it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from adjudge import (
    ConfigError,
    Engine,
    Judge,
    JudgeRequest,
    Message,
    Order,
    Outcome,
    Problem,
    ReasoningPath,
    RewardRule,
    Session,
    Verdict,
    boundary,
    find_model,
    sample_paths,
    stable_seed,
)
from adjudge_judges import GAP, FreelyWordedJudge, read_marks

ASKED = """Another judge compared two answers to a question and named the better one. Say whether its reasoning is sound.

Question:
{prompt}

Answer 1:
{first}

Answer 2:
{second}

The better answer is in fact Answer {right}, and the judge named it. Its reasoning:
{reasoning}

The reasoning is sound if every step of it is true and the steps lead to the verdict; it is unsound if a step is false, is missing, or has
nothing to do with the verdict. Check the steps, then end with one line of exactly this form, with sound or unsound in place of WORD:
Soundness: WORD"""
_MARK = re.compile(rf"\bSoundness{GAP}:{GAP}(sound|unsound)\b", re.IGNORECASE)
_SAYS = {"SOUND": Outcome.FIRST, "UNSOUND": Outcome.SECOND}


class AskedForSoundness(FreelyWordedJudge):
    """How a meta-judge asks and reads; not registered, for it compares nothing: *first* is sound, *second* unsound."""

    use: Literal["soundness"] = "soundness"
    expects = "'Soundness: sound' or 'Soundness: unsound'"

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        first, second, reasoning = problem.answers
        right = 1 if problem.label == 0 else 2
        text = ASKED.format(prompt=problem.prompt, first=first, second=second, right=right, reasoning=reasoning)
        return [{"role": "user", "content": text}]

    def parse(self, text: str) -> Verdict:
        return read_marks(text, (_MARK,), _SAYS)


class MetaJudge(RewardRule):
    """1 where another model calls a right verdict's reasoning sound, 0 where unsound or the verdict wrong; None where it says neither."""

    use: Literal["meta-judge"] = "meta-judge"
    engine: Annotated[Engine, Field(default_factory=lambda: {"use": "hf"}, validate_default=True)]
    """What answers for the meta-judge, such as an endpoint with a larger model."""
    model: str | None = None
    """Its model folder; None with an engine that ignores it."""
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Sampling temperature; 0 is greedy."""
    max_new_tokens: Annotated[int, Field(gt=0)] = 1024
    """Tokens it may take; one that takes more has said nothing."""
    _said: dict[tuple[str, str], Outcome] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _somebody_answers(self) -> Self:
        if self.model is None and not self.engine.ignores_model_folder:
            raise ValueError(f"engine {self.engine.use!r} loads a model: name it as 'model'")
        try:
            self.engine.check_judge(self._judge())
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        if problem.label is None or len(problem.answers) != 2 or not path.outcome.decided:
            return None
        if not path.right(problem):
            return 0.0
        if path.completion.text and _key(path) not in self._said:
            self.prepare([(problem, path)])
        return {Outcome.FIRST: 1.0, Outcome.SECOND: 0.0}.get(self._said.get(_key(path), Outcome.FAILED))

    def prepare(self, paths: Sequence[tuple[Problem, ReasoningPath]]) -> None:
        """Ask about the right verdicts among these that have not been asked about, all in one call of the engine."""
        wanted = {_key(path): (problem, path) for problem, path in paths if path.right(problem) and path.completion.text}
        requests = [_request(*one) for key, one in wanted.items() if key not in self._said]
        if not requests:
            return
        with self._session() as session:
            made = {path.id: path.verdict.outcome for path in sample_paths(session, self._judge(), requests)}
        self._said.update({(one.problem.id, one.id): made[one.id] for one in requests})

    @property
    def outcomes(self) -> Counter[Outcome]:
        """What its judgements came to so far: *first* is sound, *second* unsound, the others say nothing."""
        return Counter(self._said.values())

    def _judge(self) -> Judge:
        return AskedForSoundness(temperature=self.temperature, max_new_tokens=self.max_new_tokens)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with boundary(self.engine, "open"):
            opening = self.engine.open(FilePath() if self.model is None else find_model(self.model))
        with opening as session:
            yield session


def _key(path: ReasoningPath) -> tuple[str, str]:
    return path.problem_id, path.id


def _request(problem: Problem, path: ReasoningPath) -> JudgeRequest:
    """Both answers as they were shown, and what the judge wrote, its verdict included."""
    shown = problem.answers if path.order == "given" else problem.answers[::-1]
    label = problem.label if path.order == "given" else 1 - (problem.label or 0)
    about = Problem(path.problem_id, problem.prompt, (*shown, path.completion.text), label)
    return JudgeRequest(path.id, stable_seed("meta-judge", path.id), about, "given", 0)


def prepared(rule: Any, paths: Sequence[tuple[Problem, ReasoningPath]]) -> None:
    """Let a rule that asks a model ask about many paths at once; one that needs no such thing is left alone."""
    if (prepare := getattr(rule, "prepare", None)) is not None:
        with boundary(rule, "prepare"):
            prepare(paths)

"""Scores by another model than the one that sampled: any scorer on its log-probabilities, or a head that was trained to score."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Annotated, Any, ClassVar, Literal
from weakref import WeakKeyDictionary, finalize

from pydantic import Field, PrivateAttr

from adjudge import Engine, PathScorer, Problem, ReasoningPath, Score, Session, boundary, find_model, read_verdict, with_logprobs
from adjudge_engines import HfEngine
from adjudge_rstar import RStar, score_paths

from .asking import judge_of, prompts


class ByModel(PathScorer):
    """Another scorer on the log-probabilities of another model, such as a teacher's or the run's first one; bounds are that scorer's.

    R⋆ asks the model that sampled how sure it was; here a model that did not write the path is asked. Its own tokenizer reads the text. It
    is loaded beside the model that samples, and let go of with it."""

    needs: ClassVar[str] = "another model's folder, and what its scorer needs"
    use: Literal["model"] = "model"
    model: str
    """The other model: a folder, a hub's id in the local cache, or ``package:folder``."""
    scorer: PathScorer = RStar()
    """What is made of its log-probabilities."""
    engine: Engine = HfEngine()
    """What loads it."""
    _open: Any = PrivateAttr(default_factory=WeakKeyDictionary)

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        return self.scorer.needs_labels

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        judge = judge_of(session, self)
        other, pool = _kept(self._open, session, self._opened), getattr(session, "pool", None)
        read = []
        for path in paths:
            with boundary(self.engine, "tokenize"):
                made = replace(other.tokenize(path.completion.text, path.completion.token_ids), opened=path.completion.opened)
            read.append(replace(path, completion=made, verdict=read_verdict(judge, made)))
        with boundary(self.engine, "logprobs"):
            known = with_logprobs(other, judge, problem, read, self.scorer.statistics)
        return score_paths(self.scorer, problem, known, other, judge, pool)

    def _opened(self, stack: ExitStack) -> Session:
        with boundary(self.engine, "open"):
            return stack.enter_context(self.engine.open(find_model(self.model)))


class Prm(PathScorer):
    """What a model with a value head says of prompt and judgement, as ReasonFlux-PRM (2506.18896): its one number, in the head's own unit.

    Any folder that transformers loads as sequence classification with one label does: a reward model, or a PRM that scores whole
    trajectories. One of token classification with two labels says of every step how probably it is right, and `over` makes one number of
    that, in [0, 1]. So do heads that have no class there: Qwen2.5-Math-PRM's (``ends: "\\n\\n"``, ``mark: <extra_0>``), and TRL's value
    head of one number (``steps: true``). The chat is written with that folder's own template, and no code in it is run."""

    needs: ClassVar[str] = "a folder of a model with a value head"
    use: Literal["prm"] = "prm"
    model: str
    """The scoring model: a folder, a hub's id in the local cache, or ``package:folder``."""
    device: str | None = None
    """As torch writes it, for example ``cuda:1``; None = CUDA where there is one, else CPU."""
    batch: Annotated[int, Field(gt=0)] = 8
    """Paths that are scored at once."""
    ends: Annotated[str, Field(min_length=1)] = "\n"
    """What ends a step, for a head that scores steps."""
    mark: Annotated[str, Field(min_length=1)] | None = None
    """The token at which each step is read, put behind it in the place of `ends`; None = the last token of `ends`, which is put there."""
    steps: bool = False
    """Whether a head of one number is read at every step too, its sigmoid as the step's probability; else once, at the end."""
    over: Literal["min", "mean", "product", "last"] = "min"
    """What is made of the steps' probabilities."""
    _open: Any = PrivateAttr(default_factory=WeakKeyDictionary)

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        asked = prompts(judge_of(session, self), problem, paths)
        head = _kept(self._open, session, self._loaded)
        chats = [[*asked[path.order], {"role": "assistant", "content": path.completion.text}] for path in paths]
        values = [value for start in range(0, len(chats), self.batch) for value in head(chats[start : start + self.batch])]
        return [Score(path.id, value) for path, value in zip(paths, values, strict=True)]

    def _loaded(self, stack: ExitStack) -> Any:
        from .value_head import Steps, load_head

        steps = Steps(self.ends, self.over, self.mark, self.steps)
        return load_head(FilePath(find_model(self.model)), self.device, f"path scorer {self.use!r}", steps)


def _kept(opened: Any, session: Any, make: Any) -> Any:
    """What was opened for the model that samples, or is now; closed once that model is let go of."""
    owner = getattr(session, "session", session)
    if owner not in opened:
        stack = ExitStack()
        opened[owner] = make(stack)
        finalize(owner, stack.close)
    return opened[owner]

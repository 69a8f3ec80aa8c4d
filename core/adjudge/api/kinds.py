"""The kinds of component that judge and rank: one base class each, whose fields are options, whose `use` is a name, and whose verb works.

To write one, subclass a kind, name it in `use`, add options with a docstring each, implement the verb. `stages` has the kinds that train.
"""

import math
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self

from pydantic import Field

from adjudge.errors import PluginError, number_or_none

from .options import Component
from .values import Completion, Json, Match, Message, Order, Outcome, Problem, Ranking, ReasoningPath, Score, Verdict


class Session(Protocol):
    """A model that is loaded and answers; what `Engine.open` gives."""

    def sample(
        self,
        prompts: Sequence[list[Message]],
        *,
        seeds: Sequence[int],
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        stop: Sequence[str] = (),
    ) -> Iterator[tuple[int, Completion]]:
        """One completion per prompt as (index of the prompt, completion), in any order, as they finish.

        A completion depends on its own prompt and seed alone, not on its batch. A call that fails is a completion with `error`; so is a
        prompt that leaves no room for a judgement, and one that leaves less than `max_new_tokens` gets what there is. A completion ends
        once its text holds one of the `stop` strings, which stays in the text; they are given only where a judge has some."""

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        """Log-probability in nats, at temperature 1, of every token of every continuation of one prompt.

        Given names of its engine's `statistics` as `statistics=`, it answers with dicts instead: ``logprob`` and these, a list of each."""

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        """A complete judgement that was written elsewhere, in this model's tokens and without log-probabilities; its end of turn included.

        `token_ids`, what the text was sampled as if that is known, are kept where they write exactly this text. The completion's own
        text is what its tokens write, and what `token_ends` points into; parse that one. Raises `ConfigError` where there is no tokenizer.
        """


class PathScorer(Component):
    """Says how good a reasoning path is, to choose among the paths that reached the right answer."""

    kind = "path scorer"
    hook = "register_path_scorers"
    statistics: ClassVar[frozenset[str]] = frozenset()
    """What it reads from `Completion.statistics`; ``logprob``: it scores further tokens. An engine that cannot tell it is refused early."""

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        """One score per path, in order, higher is better, with the parts it was made from."""
        raise NotImplementedError


class Eligibility(Component):
    """Says which paths may be chosen: the right ones, or those that something else than a label speaks for."""

    kind = "eligibility rule"
    hook = "register_eligibility"

    def eligible(self, problems: Mapping[str, Problem], paths: Sequence[ReasoningPath], session: Session) -> Sequence[bool]:
        """For each path, in order, whether it may be chosen; they are a whole pool, and those of one problem stand together."""
        raise NotImplementedError


class RewardRule(Component):
    """A rule that rewards one path; rules are weighted and added up, and every part is recorded."""

    kind = "reward rule"
    hook = "register_reward_rules"
    weight: float = 1.0
    """Factor of this rule in the sum of all rules."""

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        """The reward, or None where the rule does not apply: such a rule is left out of the path's sum, never counted as 0."""
        raise NotImplementedError


class Aggregator(Component):
    """Turns pairwise outcomes into a ranking of many candidates."""

    kind = "aggregator"
    hook = "register_aggregators"

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        """Yield the matches of a round, be sent one outcome per match, always first, second or tie, and return the ranking.

        A match that no vote decided comes as a tie. Where a budget is spent, or such matches are dropped, the ranking is made from
        the matches that were read instead; on a spent budget the generator is closed at a `yield` and nothing is sent."""
        raise NotImplementedError


def check_ranking(aggregator: Aggregator, ranking: Ranking, size: int) -> Ranking:
    """A ranking that names every candidate once, with a finite rating for each, and with an interval for each or for none."""
    fits = isinstance(ranking, Ranking) and sorted(ranking.order) == list(range(size)) and len(ranking.ratings) == size
    ends = [(0.0, 0.0)] * size if not fits or ranking.intervals is None else ranking.intervals
    if not (fits and all(map(math.isfinite, ranking.ratings)) and len(ends) == size and all(low <= high for low, high in ends)):
        raise PluginError(
            f"aggregator {aggregator.use!r} returned {ranking!r}, not a ranking of {size} candidates.\n  Remedy: return a Ranking with"
            " every candidate once, with a finite rating for each; intervals are (low, high) for each, or None."
        )
    ratings = tuple(number_or_none(aggregator, "tournament", rating) or 0.0 for rating in ranking.ratings)
    intervals = None if ranking.intervals is None else tuple((float(low), float(high)) for low, high in ranking.intervals)
    return Ranking(tuple(map(int, ranking.order)), ratings, intervals)


class Engine(Component):
    """Where completions and log-probabilities come from."""

    kind = "engine"
    hook = "register_engines"
    default = "hf"
    per_process: ClassVar[bool] = True
    """Whether every process of a `launch` opens this engine and asks it for a share of the work. False = the main process alone asks, for
    an engine that spreads the work by itself, or whose rates hold for all processes together."""
    statistics: ClassVar[frozenset[str]] = frozenset({"logprob"})
    """What its sessions' `logprobs` tell of given tokens, such as ``entropy``; log-probabilities in any case, unless it is empty."""
    ignores_model_folder: ClassVar[bool] = False
    """Whether a model of the engine's own answers, whatever folder is opened; such an engine judges, and a run with stages refuses it."""

    def open(self, model: FilePath) -> AbstractContextManager[Session]:
        """Load the model folder; everything it holds is released when the context ends."""
        raise NotImplementedError

    def asked_whole(self) -> bool:
        """Whether it has to be asked for everything in one call, as one that writes its requests to a file; others may get parts."""
        return False

    def adapter_label(self) -> str | None:
        """What this engine puts on top of any model, such as an adapter, as messages name it; runs with stages refuse it."""
        return None

    def check_judge(self, judge: "Judge") -> None:
        """Raise `ConfigError` where this engine cannot sample as the judge asks; called before anything is loaded, in a dry run too."""

    def fingerprint(self) -> Json | None:
        """What completions depend on besides model folder, prompt, seed and sampling settings, such as versions; None: it is not cached."""
        return None

    def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
        """Tokens of each prompt as this engine would send it, told without loading weights; None where it cannot tell."""
        return None

    def sampling_load(self, sequence: int) -> Any:
        """What sampling holds on a device where prompt and judgement have this many tokens, an `adjudge_plan.Sampling`; None = unknown."""
        return None


class Judge(Component):
    """Asks for a verdict on two answers and reads it; saved as ``judge.json`` beside the weights and reused unchanged."""

    kind = "judge"
    hook = "register_judges"
    later: ClassVar[frozenset[str]] = frozenset({"stop", "on_too_long"})
    expects: ClassVar[str] = ""
    """What a verdict looks like, as it is told where none can be read."""
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Sampling temperature; 0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus sampling: the smallest set of tokens with at least this probability."""
    max_new_tokens: Annotated[int, Field(gt=0)] = 1024
    """Tokens a judgement may take; one that takes more is *truncated*."""
    order: Literal["random", "both", "fixed"] = "random"
    """How pairs are shown: a seeded coin per judgement, both ways, or as given."""
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Strings that end a judgement, for example its verdict; the string stays in the text."""
    on_too_long: Literal["fail", "skip", "truncate-middle"] = "fail"
    """What becomes of a prompt that leaves no room for a judgement: a failed judgement, one that is left out, or the middle of its
    longest texts left out of the prompt, until half of the context is left or `max_new_tokens`."""

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        """The chat turns that ask for a verdict on the problem's two answers, shown in this order."""
        raise NotImplementedError

    def render(self, problem: Problem, order: Order) -> list[Message]:
        """The prompt as it is sent: a think-mark in what is judged gets a space, ``< /think>``, lest an answer end the thinking."""
        plain = replace(problem, prompt=_without_marks(problem.prompt), answers=tuple(map(_without_marks, problem.answers)))
        return self.prompt(plain, order)

    def parse(self, text: str) -> Verdict:
        """Read a complete judgement: never raises; a text without a verdict is *unreadable*."""
        raise NotImplementedError


def _without_marks(text: str) -> str:
    return re.sub(r"<(?=/?think(?:ing)?>)", "< ", text)


class Dataset(Component):
    """Where problems come from."""

    kind = "data set"
    hook = "register_datasets"

    def load(self) -> Iterable[Problem]:
        """The problems, in a fixed order; a `Sequence` is used as it is, and may read each when it is asked for."""
        raise NotImplementedError

    def tolerant(self) -> Self:
        """The same, leaving out the rows that cannot be used, where it has an option `skip_bad_lines` for that."""
        return self.model_copy(update={"skip_bad_lines": True} if "skip_bad_lines" in type(self).model_fields else {})

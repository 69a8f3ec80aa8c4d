"""The kinds of component: one base class each, whose fields are options, whose `use` is a name, and whose one verb does the work.

To write a component, subclass a kind, give `use` a literal name, add options as fields with an attribute docstring, and
implement the verb. A field annotated with a kind (``scorer: PathScorer``, ``rules: list[RewardRule]``) picks its own class by
`use`, wherever it stands, from the plugins handed to validation as context.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError

from .records import Completion, Json, Match, Message, Order, Outcome, Path, Problem, Ranking, Sampling, Score, StageResult, Verdict, Work

if TYPE_CHECKING:
    from .stage import Stage


class Options(BaseModel):
    """Frozen fields with a docstring each; a field that does not exist is answered with those that do."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="wrap")
    @classmethod
    def _name_what_exists(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            raise ValidationError.from_exception_data(cls.__name__, [_told(cls, item) for item in error.errors()]) from None


def _told(cls: type[BaseModel], item: ErrorDetails) -> InitErrorDetails:
    """A mistake as it was found, except that an unknown field of this class gets a remedy."""
    message, place = item["msg"].removeprefix("Value error, "), item["loc"]
    if item["type"] == "extra_forbidden" and len(place) == 1:
        near = difflib.get_close_matches(str(place[0]), cls.model_fields, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        message = f"there is no such field{hint}   (fields: {', '.join(cls.model_fields)})"
    return {"type": PydanticCustomError("mistake", "{message}", {"message": message}), "loc": place, "input": item["input"]}


class Component(Options):
    """A frozen set of options with a name and a verb."""

    kind: ClassVar[str] = ""
    """How the kind is called in messages, for example "path scorer"; set on kinds only."""
    use: str
    """The component's name in a run file."""

    @classmethod
    def is_kind(cls) -> bool:
        return "kind" in vars(cls)

    @classmethod
    def name(cls) -> str:
        """The value of the `use` literal."""
        return str(cls.model_fields["use"].default)

    @model_validator(mode="wrap")
    @classmethod
    def _pick(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        """Where a kind is asked for, hand over to the component that `use` names."""
        if not cls.is_kind() or isinstance(data, cls):
            return handler(data)
        picker = (info.context or {}).get("plugins")
        if picker is None:
            raise PydanticCustomError("no_plugins", "a {kind} cannot be picked by name without plugins", {"kind": cls.kind})
        if isinstance(data, str):
            data = {"use": data}
        if not isinstance(data, dict) or not isinstance(data.get("use"), str):
            raise PydanticCustomError("use_missing", "say which {kind}, as 'use: NAME'", {"kind": cls.kind})
        chosen: type[Self] = picker.pick(cls, data["use"])
        return chosen.model_validate(data, context=info.context)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A kind is a placeholder that `config.json_schema` links to the installed components."""
        if cls.is_kind():
            return {"x-kind": cls.__name__}
        return handler(schema)


Some = TypeVar("Some", bound=Component)


def named_once(components: list[Some]) -> list[Some]:
    """Validates a list whose results are kept by name: ``Annotated[list[RewardRule], AfterValidator(named_once)]``."""
    names = [component.use for component in components]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} stands there twice; its results are kept by name, so name it once")
    return components


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
    ) -> Iterator[tuple[int, Completion]]:
        """One completion per prompt as (index of the prompt, completion), in any order, as they finish.

        A completion depends on its own prompt and seed alone, not on its batch. A call that fails is a completion with `error`.
        """
        ...

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        """Log-probability in nats, at temperature 1, of every token of every continuation of one prompt."""
        ...

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        """A complete judgement that was written elsewhere, in this model's tokens and without log-probabilities; its end of turn included.

        `token_ids`, what the text was sampled as if that is known, are kept where they write exactly this text. The completion's own
        text is what its tokens write, and what `ends` points into; parse that one. An engine without a tokenizer raises `ConfigError`.
        """
        ...


class PathScorer(Component):
    """Says how good a reasoning path is, to choose among the paths that reached the right answer."""

    kind = "path scorer"

    def score(self, problem: Problem, paths: Sequence[Path], session: Session) -> list[Score]:
        """One score per path, in order, higher is better, with the parts it was made from."""
        raise NotImplementedError


class RewardRule(Component):
    """A rule that rewards one path; rules are weighted and added up, and every part is recorded."""

    kind = "reward rule"
    weight: float = 1.0
    """Factor of this rule in the sum of all rules."""

    def reward(self, problem: Problem, path: Path) -> float | None:
        """The reward, or None where the rule does not apply: such a rule is left out of the path's sum, never counted as 0."""
        raise NotImplementedError


class Aggregator(Component):
    """Turns pairwise outcomes into a ranking of many candidates."""

    kind = "aggregator"

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        """Yield the matches of a round, be sent one outcome per match, always first, second or tie, and return the ranking.

        A match that no vote decided comes as a tie. Where a budget is spent, or such matches are dropped, the ranking is made from
        the matches that were read instead; on a spent budget the generator is closed at a `yield` and nothing is sent.
        """
        raise NotImplementedError


class StageTrainer(Component):
    """One stage of training: takes the previous stage's model, leaves a better one."""

    kind = "stage trainer"

    def train(self, stage: Stage) -> StageResult:
        """Train `stage.model` on `stage.problems`, save the outcome in `stage.folder / "model"`, and say what happened."""
        raise NotImplementedError

    def check_processes(self, processes: int) -> None:
        """Raise `ValueError` where these options cannot be shared out over so many processes; told before anything is done."""

    def plan(self, problems: Sequence[Problem], judge: Judge) -> Work:
        """What training on these problems will take, told before anything is done; a trainer that does not say is unknown, never 0."""
        return Work()


class Engine(Component):
    """Where completions and log-probabilities come from."""

    kind = "engine"
    everywhere: ClassVar[bool] = True
    """Whether every process of a `launch` opens this engine and asks it for a share of the work. False = the main process alone asks, for
    an engine that spreads the work by itself, or whose rates hold for all processes together."""
    own_model: ClassVar[bool] = False
    """Whether a model of the engine's own answers, whatever folder is opened; such an engine judges, and a run with stages refuses it."""

    def open(self, model: FilePath) -> AbstractContextManager[Session]:
        """Load the model folder; everything it holds is released when the context ends."""
        raise NotImplementedError

    def on_top(self) -> str | None:
        """What this engine puts on top of any model that it opens, such as an adapter, as messages name it; a run with stages refuses it,
        for it was not made for what they train."""
        return None

    def identity(self) -> Json | None:
        """What completions depend on besides the files of the model folder, prompt, seed and sampling settings, as JSON values: options,
        versions of what samples, contents of other files. None = not told, and nothing that this engine says is cached."""
        return None

    def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
        """Tokens of each prompt as this engine would send it, told without loading weights; None where it cannot tell."""
        return None

    def holds(self, sequence: int) -> Sampling | None:
        """What sampling holds on a device of this machine where prompt and judgement have this many tokens; None = nothing, or not told."""
        return None


class Judge(Component):
    """Asks for a verdict on two answers and reads it; saved as ``judge.json`` beside the weights and reused unchanged."""

    kind = "judge"
    temperature: Annotated[float, Field(ge=0)] = 1.0
    """Sampling temperature; 0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus sampling: the smallest set of tokens with at least this probability."""
    max_new_tokens: Annotated[int, Field(gt=0)] = 1024
    """Tokens a judgement may take; one that takes more is *truncated*."""
    order: Literal["random", "both", "fixed"] = "random"
    """How pairs are shown: a seeded coin per judgement, both ways, or as given."""

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        """The chat turns that ask for a verdict on the problem's two answers, shown in this order."""
        raise NotImplementedError

    def ask(self, problem: Problem, order: Order) -> list[Message]:
        """The prompt as engines and trainers send it: a think-mark in what is judged has a space, ``< /think>``, and is a mark no more.

        Many tokenizers have a token of their own for it, by which an answer could begin or end the judge's own thinking.
        """
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

    def load(self) -> Iterable[Problem]:
        """The problems, in a fixed order."""
        raise NotImplementedError


class Reporter(Component):
    """Watches a run; the object that `start` returns has observe hooks and lives for that run only."""

    kind = "reporter"

    def start(self, run: Any) -> object:
        """An object with `@hookimpl` methods named like observe hooks; its `close()`, if any, is called however the run ends."""
        raise NotImplementedError


KINDS: tuple[type[Component], ...] = (PathScorer, RewardRule, Aggregator, StageTrainer, Engine, Judge, Dataset, Reporter)

Metrics = dict[str, Json]

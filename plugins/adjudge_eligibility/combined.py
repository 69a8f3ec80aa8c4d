"""Rules joined: what all of them say, or any."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from adjudge import Eligibility, PluginError, Problem, ReasoningPath, Session, boundary


class Combined(Eligibility):
    """The base of rules that ask other rules."""

    needs: ClassVar[str] = "what its rules need"
    join: ClassVar[Callable[[Iterable[bool]], bool]] = all
    rules: Annotated[list[Eligibility], Field(min_length=1)]
    """The rules that are asked, each about the whole pool."""

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        return any(rule.needs_labels for rule in self.rules)

    @property
    def statistics(self) -> frozenset[str]:
        """What any of the rules needs an engine to tell."""
        return frozenset().union(*(getattr(rule, "statistics", ()) for rule in self.rules))

    def eligible(self, problems: Mapping[str, Problem], paths: Sequence[ReasoningPath], session: Session) -> Sequence[bool]:
        return [type(self).join(told) for told in zip(*(_asked(rule, problems, paths, session) for rule in self.rules), strict=True)]


def _asked(rule: Eligibility, problems: Mapping[str, Problem], paths: Sequence[ReasoningPath], session: Session) -> Sequence[bool]:
    """One rule's answers; `PluginError` where there is not one for each path."""
    with boundary(rule, "eligible"):
        told = list(rule.eligible(problems, paths, session))
    if len(told) != len(paths):
        raise PluginError(
            f"eligibility rule {rule.use!r} returned {len(told)} answers for {len(paths)} paths.\n  Remedy: return one for every path."
        )
    return told


class AllOf(Combined):
    """The paths that every one of several rules lets through."""

    use: Literal["all-of"] = "all-of"


class AnyOf(Combined):
    """The paths that at least one of several rules lets through."""

    join = any
    use: Literal["any-of"] = "any-of"

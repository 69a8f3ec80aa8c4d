"""What engines take of a judge's sampling settings; told when a run file or a call is checked, before anything is loaded."""

from __future__ import annotations

from adjudge import ConfigError, Judge
from adjudge_judges import longest_judgement, needs_given_tokens, needs_logprobs

HOTTEST = 2.0
"""The highest temperature of OpenAI's API, which vLLM keeps to as well."""


def check_temperature(judge: Judge, engine: str) -> None:
    """Raise `ConfigError` for a judge that samples at a higher temperature than the engine does."""
    if judge.temperature > HOTTEST:
        raise ConfigError(
            f"judge.temperature: {judge.temperature:g}, and {engine} samples at 0 to {HOTTEST:g}.\n"
            "  Remedy: lower it, or name the engine hf, which takes any."
        )


def check_length(longest: int | None, judge: Judge) -> None:
    """Raise `ConfigError` where the longest sequence that is asked for is shorter than a judgement may be by itself."""
    if longest is not None and longest < (most := longest_judgement(judge)):
        raise ConfigError(
            f"engine.max_model_len: {longest} tokens are for a prompt and its judgement together, and judge.max_new_tokens lets a judgement"
            f" alone have {most}.\n  Remedy: raise the first, or lower the second."
        )


def check_scores_given_tokens(judge: Judge, engine: str, remedy: str, *, lists: bool = False) -> None:
    """Raise `ConfigError` for a judge that reads how probable given verdicts are; for engines that cannot tell.

    One that `lists` the likeliest tokens of its answers will do for some of these judges."""
    if needs_given_tokens(judge) if lists else needs_logprobs(judge):
        raise ConfigError(
            f"judge {judge.use!r} reads the log-probabilities of its verdicts, and {engine} cannot tell those of given tokens.\n"
            f"  Remedy: {remedy}"
        )

"""open-instruct: the verifier ``adjudge``, whose calls for one prompt's answers wait for each other and are judged as a group.

open-instruct finds every direct subclass of `VerifierFunction` that was imported before it builds its verifiers, so this module has to be
imported in the program that trains. It asks about all answers to a prompt at once, so those that ask in the same turn of the event loop
are the group, whatever its size; nobody has to say how many there are. It has no mask: an undecided answer gets the mean of its group,
and a warning counts them. Its verifiers hand over scores alone, so what the judge took is in the log of the actor that asked.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

from adjudge import ConfigError, JobError

from .config import read_reward
from .framework import tested_with
from .in_process import cohorts_of
from .undecided import decided

# ruff: noqa: E402 – what is missing is told before it is imported
tested_with("open_instruct", ">=0", "put a checkout of allenai/open-instruct on PYTHONPATH")

from open_instruct.ground_truth_utils import VerificationResult, VerifierConfig, VerifierFunction

log = logging.getLogger("adjudge")


class AdjudgeVerifier(VerifierFunction):  # type: ignore[misc]
    """For rows whose `dataset` says ``adjudge``; the file is that of ``ADJUDGE_REWARD``. Where it has an `anchor`, the label is one."""

    def __init__(self, verifier_config: VerifierConfig | None = None) -> None:
        super().__init__("adjudge", verifier_config=verifier_config, weight=1.0)
        self.file = os.environ.get("ADJUDGE_REWARD", "")  # open-instruct makes every verifier, also those that no row asks for
        self.anchored = bool(self.file and read_reward(self.file).anchor)
        self._asking: dict[tuple[str, str], list[tuple[str, asyncio.Future[VerificationResult]]]] = {}

    def __call__(self, *_: Any, **__: Any) -> VerificationResult:
        raise ConfigError(
            "the verifier adjudge judges groups and cannot be called alone.\n  Remedy: use async_call, as open-instruct does."
        )

    async def async_call(
        self,
        tokenized_prediction: list[int],
        prediction: str,
        label: Any,
        query: str | None = None,
        rollout_state: dict[str, Any] | None = None,
    ) -> VerificationResult:
        """The answer's reward, once those that were asked about with it are judged."""
        if not self.file:
            raise ConfigError("no reward is named.\n  Remedy: set ADJUDGE_REWARD to the path of a reward.yaml.")
        if query is None:
            raise ConfigError(
                "the verifier adjudge was called without the prompt.\n  Remedy: use an open-instruct that hands `query` over."
            )
        key, own = (query, str(label)), asyncio.get_running_loop().create_future()
        group = self._asking.setdefault(key, [])
        group.append((prediction, own))
        if len(group) == 1:
            await asyncio.sleep(0)  # all of the group have begun to ask after this turn
            await self._judge(*key, self._asking.pop(key))
        return await own

    async def _judge(self, query: str, label: str, group: list[tuple[str, asyncio.Future[VerificationResult]]]) -> None:
        """Give every one of the group its result, or what went wrong."""
        name, anchors = object(), [label] if self.anchored else []
        try:
            cohorts = cohorts_of(self.file)
            found = await asyncio.gather(*(cohorts.ask(query, text, group=name, size=len(group), anchors=anchors) for text, _ in group))
        except BaseException as error:
            for _, own in group:
                if not own.done():
                    own.set_exception(JobError(f"the group could not be judged: {error}"))
            raise
        tokens, seconds = sum(one.tokens for one in found), sum(one.seconds for one in found)
        log.info("adjudge: a group of %d answers took %g tokens and %.3g s of the judge", len(found), tokens, seconds)
        if missing := [one.reason for one in found if one.value is None]:
            log.warning("adjudge: %d of %d answers are undecided and get their group's mean: %s", len(missing), len(found), missing[0])
        for (_, own), one, value in zip(group, found, decided(found, [0] * len(found), "mean"), strict=True):
            own.set_result(VerificationResult(score=value or 0.0, reasoning=one.reason or None))

"""A session whose questions are answered by workers on a cluster; see docs/decisions/0027."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Self

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from adjudge import AdjudgeError, Completion, JobError, Message

from .cluster import gpus_of, room_for
from .worker import Worker

if TYPE_CHECKING:
    from .engine import RayEngine

log = logging.getLogger("adjudge.ray")
SLOTS = 2
"""Batches that a worker has at once: one that it works on, and one that is there when that is done. No more are handed out."""
PATIENCE = 60.0
"""Seconds without an answer after which it is told what is waited for."""
Question = Callable[[Any], Any]
"""Asks a worker and returns a reference to what it will answer."""


class RaySession:
    """Workers all over the cluster, each with the engine open. A worker that is lost is started elsewhere, by Ray, and loads anew."""

    def __init__(self, options: RayEngine, model: FilePath) -> None:
        gpus = gpus_of(options, options.engine)
        self.batch = options.batch
        size = options.workers or room_for(options.cpus, gpus)
        # SPREAD, so that a lost node takes few workers with it. Questions are not retried by Ray but handed to another worker, below.
        actor = ray.remote(Worker).options(
            num_cpus=options.cpus, num_gpus=gpus, max_restarts=-1, max_task_retries=0, scheduling_strategy="SPREAD"
        )
        engine = ray.put(options.engine)
        self.workers = [actor.remote(engine, model) for _ in range(size)]
        self.free: deque[Any] = deque(self.workers * SLOTS)
        """Workers that can be handed something, once for each slot."""
        self.returning: dict[Any, Any] = {}
        """Slots of lost workers, by the reference that is answered once Ray has started that worker again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        closing = [worker.close.remote() for worker in self.workers]
        ray.wait(closing, num_returns=len(closing), timeout=10)
        for worker in self.workers:
            ray.kill(worker)

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        """Completions as batches of them come back; while nobody takes them, workers get nothing new."""
        size = max(1, min(self.batch, -(-len(prompts) // (SLOTS * len(self.workers)))))
        starts = range(0, len(prompts), size)

        def asking(start: int) -> Question:
            some, own = list(prompts[start : start + size]), {**settings, "seeds": list(seeds[start : start + size])}
            return lambda worker: worker.sample.remote(some, own)

        for place, answered in self._ask(map(asking, starts)):
            for index, completion in answered:
                yield starts[place] + index, completion

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]], **asked: Any) -> list[Any]:
        """The continuations are shared out over the workers; `asked` are statistics, where the engine inside tells some."""
        size = max(1, -(-len(continuations) // len(self.workers)))
        parts = [list(continuations[start : start + size]) for start in range(0, len(continuations), size)]
        found = dict(self._ask((lambda worker, part=part: worker.logprobs.remote(prompt, part, asked)) for part in parts))
        return [values for place in range(len(parts)) for values in found[place]]

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        return self._one(lambda worker: worker.tokenize.remote(text, tuple(token_ids)))  # type: ignore[no-any-return]

    def room(self, prompt: list[Message]) -> int | None:
        return self._one(lambda worker: worker.room.remote(prompt))  # type: ignore[no-any-return]

    def _one(self, question: Question) -> Any:
        return next(iter([answer for _, answer in self._ask(iter([question]))]))

    def _ask(self, questions: Iterator[Question]) -> Iterator[tuple[int, Any]]:
        """What workers answer, with the number of the question, as answers come; a question that a lost worker had is asked again."""
        waiting, again = enumerate(questions), deque[tuple[int, Question]]()
        asked: dict[Any, tuple[Any, int, Question]] = {}
        try:
            while True:
                while self.free and (following := again.popleft() if again else next(waiting, None)):
                    worker = self.free.popleft()
                    asked[following[1](worker)] = (worker, *following)
                if not asked and not again:
                    return
                for reference in self._answered([*asked, *self.returning]):
                    if reference in self.returning:
                        self._returned(reference)
                        continue
                    worker, place, question = asked.pop(reference)
                    try:
                        answer = _got(reference)
                    except RayActorError:
                        log.warning("a worker on the Ray cluster was lost; what it was asked is asked again")
                        again.append((place, question))
                        self.returning[worker.ready.options(max_task_retries=-1).remote()] = worker
                        continue
                    self.free.append(worker)
                    yield place, answer
        finally:
            for reference, (worker, _, _) in asked.items():  # whoever asked has gone: nothing of it is begun any more
                ray.cancel(reference)
                self.free.append(worker)

    def _answered(self, references: list[Any]) -> list[Any]:
        while not (done := ray.wait(references, timeout=PATIENCE)[0]):
            log.warning("still waiting for %d workers on the Ray cluster: they work, load, or wait for a node with room", len(self.workers))
        return done  # type: ignore[no-any-return]

    def _returned(self, reference: Any) -> None:
        worker = self.returning.pop(reference)
        try:
            _got(reference)
        except RayActorError:  # lost once more before it was there
            self.returning[worker.ready.options(max_task_retries=-1).remote()] = worker
        else:
            self.free.append(worker)


def _got(reference: Any) -> Any:
    """What a worker answered; an error of ours is raised as it was there, one of Ray's as a failed job unless the worker was lost."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        cause = error.cause
        raise (cause if isinstance(cause, AdjudgeError) else error) from None
    except RayActorError:
        raise
    except RayError as error:
        raise JobError(
            f"ray: {type(error).__name__}: {error}\n  Remedy: correct what it says; the same command goes on, finished records are kept."
        ) from error

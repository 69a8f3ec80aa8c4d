"""The servers that `reward_server.py` measures, each in a process of its own: ours, and OpenRLHF's, with a judge that takes no time."""

from __future__ import annotations

import asyncio
import os
import runpy
import socket
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any


class NoJudge:
    """A reward that takes no time: the place of a completion's last character among those of its group."""

    how = "rank"

    def judged_together(self, calls: Sequence[Any]) -> list[Any]:
        from adjudge_rewards import RewardAnswer

        return [RewardAnswer(self._places(call.completions), self._took(len(call.completions))) for call in calls]

    def _places(self, texts: Sequence[str]) -> list[Any]:
        from adjudge_rewards import SampleReward

        place = {text: number / max(1, len(texts) - 1) for number, text in enumerate(sorted(texts))}
        return [SampleReward(place[text]) for text in texts]

    def _took(self, size: int) -> dict[str, float]:
        return {"groups": 1, "samples": size, "undecided": 0.0, "unreadable": 0.0, "votes": 0, "seconds": 0.0}


class _Session:
    """Judgements that are there already: the first answer is better."""

    def sample(self, prompts: Sequence[Any], **settings: Any) -> Iterator[tuple[int, Any]]:
        from adjudge.testing import completion_of

        said = completion_of("\\boxed{Assistant 1}")
        for index in range(len(prompts)):
            yield index, said


def tournament() -> Any:
    """A reward that plays its knockout on such judgements."""
    from adjudge import Judge as JudgeKind
    from adjudge import OpenJudge, Plugins, validate

    plugins = Plugins.load(autoload=False)
    judge: Any = validate(JudgeKind, {"use": "rrm", "order": "fixed", "max_new_tokens": 9}, plugins, "judge")
    return OpenJudge(judge, _Session(), plugins).group_reward("knockout", reward="rank")  # type: ignore[arg-type]


def ours(*arguments: str) -> None:
    """`adjudge serve` but for the reward that it opens."""
    import uvloop

    from adjudge_rewards import CohortStore
    from adjudge_serve.run import listen, serve
    from adjudge_serve.service import Service, Settings

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = CohortStore(folder / "groups.db", "replay") if "--state" in arguments else None
        reward = tournament() if "--tournament" in arguments else NoJudge()
        place = stack.enter_context(listen("127.0.0.1", 0))
        service = Service(reward, Settings(), None, store)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(service, {}, place, f"Serving at http://127.0.0.1:{place.getsockname()[1]}"))


def peer(folder: str) -> None:
    """OpenRLHF's own file, run as a program; its model and its tokenizer are replaced by ones that take no time."""
    import torch

    root = next(Path(folder).rglob("openrlhf/cli/serve_rm.py")).parents[2]
    sys.path.insert(0, str(root))
    models, utils = types.ModuleType("openrlhf.models"), types.ModuleType("openrlhf.utils")
    utils.__path__ = [str(root / "openrlhf" / "utils")]  # its own logging and config are found there

    class Model:
        device = "cpu"

        def eval(self) -> None:
            """As it is."""

        def __call__(self, ids: Any, mask: Any) -> Any:
            return torch.zeros(len(ids))

    def tokenizer(texts: Sequence[str], **_: Any) -> dict[str, Any]:
        return dict.fromkeys(("input_ids", "attention_mask"), torch.zeros(len(texts), 1))

    models.get_llm_for_sequence_regression = lambda *_, **__: Model()  # type: ignore[attr-defined]
    utils.get_tokenizer = lambda *_, **__: tokenizer  # type: ignore[attr-defined]
    sys.modules["openrlhf.models"], sys.modules["openrlhf.utils"] = models, utils
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what it logs of every request

    import uvicorn

    started = uvicorn.Server.startup

    async def told(self: Any, *arguments: Any, **named: Any) -> None:
        await started(self, *arguments, **named)
        os.write(out, f"Serving at http://127.0.0.1:{port}\n".encode())

    uvicorn.Server.startup = told  # type: ignore[method-assign]
    file = root / "openrlhf" / "cli" / "serve_rm.py"
    sys.argv = [str(file), "--host", "127.0.0.1", "--port", str(port)]
    runpy.run_path(str(file), run_name="__main__")


if __name__ == "__main__":
    {"ours": ours, "peer": peer}[sys.argv[1]](*sys.argv[2:])

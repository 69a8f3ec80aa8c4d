"""Judging over a Ray cluster of two nodes on this machine: ``.venv-ray/bin/python benchmarks/ray_scale.py``.

100,000 recorded judgements are replayed, which costs the engine nothing, so what is measured is all that lies around it: prompts, the
way to workers and back, verdicts read. The same paths are asked of one process, of one worker, of two, and of two of which one is lost
with its node in the middle. With the embedded judge through `hf` the engine has the work. *Rounds* are calls of 64 prompts one after the
other, as a tournament makes them, of workers that stay, and of Ray Data, whose actors live for one call. Writes ``results/ray_scale.json``
and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from adjudge_ray import RayEngine
from bench import RESULTS, save, table
from ray.cluster_utils import Cluster

from adjudge import Engine, JudgeRequest, build_requests, find_model, sample_paths
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine, ReplayEngine
from adjudge_judges import ArithmeticJudge

MODEL = find_model("adjudge_arithmetic:model")
JUDGE = ArithmeticJudge()
STORE = 200 * 2**20


@contextmanager
def cluster(nodes: int) -> Iterator[Cluster]:
    """A head that does no work, and nodes of one core each."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": STORE})
    for _ in range(nodes):
        made.add_node(num_cpus=1, object_store_memory=STORE)
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def recorded(folder: Path, requests: list[JudgeRequest]) -> Path:
    """Three texts for every prompt, among which the seed chooses."""
    prompts = {JUDGE.render(request.problem, request.order)[-1]["content"] for request in requests}
    texts = [f"<think>{'1 + 1 = 2. ' * 20}</think> \\boxed{{Assistant {number}}}" for number in (1, 2, 3)]
    file = folder / "recorded.jsonl"
    file.write_text("".join(json.dumps({"prompt": prompt, "texts": texts}) + "\n" for prompt in sorted(prompts)), encoding="utf-8")
    return file


def measured(engine: Engine, requests: list[JudgeRequest], lose: Any = None) -> tuple[dict[str, str], float]:
    """Texts by id, and the seconds they took from the first question on, with the model loaded."""
    with engine.open(MODEL) as session:
        list(sample_paths(session, JUDGE, requests[:2]))
        found, start = {}, time.perf_counter()
        for path in sample_paths(session, JUDGE, requests):
            found[path.id] = path.completion.text
            if lose is not None and len(found) == len(requests) // 2:
                lose()
        return found, time.perf_counter() - start


def compared(name: str, engine: Engine, requests: list[JudgeRequest], lost: bool) -> list[dict[str, Any]]:
    """One row for each number of workers, and how many texts are those of one process."""
    alone, seconds = measured(engine, requests)
    rows = [{"engine": name, "workers": "one process", "seconds": seconds, "judgements": len(alone), "same": len(alone)}]
    for nodes, losing in ((1, False), (2, False), *([(2, True)] if lost else [])):
        with cluster(nodes) as made:
            lose = (lambda made=made: made.remove_node(next(iter(made.worker_nodes)), allow_graceful=False)) if losing else None
            found, seconds = measured(RayEngine(address=made.address, engine=engine, batch=256), requests, lose)
        same = sum(text == alone[id] for id, text in found.items())
        label = f"{nodes}, one lost half-way" if losing else str(nodes)
        rows.append({"engine": name, "workers": label, "seconds": seconds, "judgements": len(found), "same": same})
        print(rows[-1], flush=True)
    return rows


class Asked:
    """What Ray Data calls on its actors."""

    def __init__(self, engine: Engine) -> None:
        self.session = engine.open(MODEL).__enter__()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        prompts = [[{"role": "user", "content": content}] for content in batch["prompt"]]
        made = dict(self.session.sample(prompts, seeds=list(map(int, batch["seed"])), temperature=1.0, top_p=1.0, max_new_tokens=64))
        return {"index": batch["index"], "text": [made[place].text for place in range(len(prompts))]}


def rounds(engine: Engine, requests: list[JudgeRequest]) -> dict[str, float]:
    """Seconds of a round, by way."""
    ray.cloudpickle.register_pickle_by_value(__import__("sys").modules[__name__])
    found = {}
    with cluster(2) as made:
        with RayEngine(address=made.address, engine=engine).open(MODEL) as session:
            list(sample_paths(session, JUDGE, requests[:2]))
            start = time.perf_counter()
            for _ in range(10):
                list(sample_paths(session, JUDGE, requests[:64]))
            found["workers that stay"] = (time.perf_counter() - start) / 10
        ray.init(address=made.address, log_to_driver=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
        contents = [JUDGE.render(request.problem, request.order)[-1]["content"] for request in requests[:64]]
        items = [{"index": at, "prompt": content, "seed": requests[at].seed % 2**31} for at, content in enumerate(contents)]
        times = []
        for _ in range(3):
            start = time.perf_counter()
            data = ray.data.from_items(items).map_batches(
                Asked, fn_constructor_args=(engine,), batch_size=16, compute=ray.data.ActorPoolStrategy(size=2), num_cpus=1
            )
            assert len(list(data.iter_rows())) == len(items)
            times.append(time.perf_counter() - start)
        found["Ray Data"] = sum(times) / len(times)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--judgements", type=int, default=100_000)
    parser.add_argument("--hf", type=int, default=1_000)
    sizes = parser.parse_args()
    problems = list(ArithmeticDataset(size=min(10_000, sizes.judgements)).load())
    requests = build_requests(problems, JUDGE, samples=sizes.judgements // len(problems), seed=0)
    few = build_requests(problems[: sizes.hf], JUDGE, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        replay = ReplayEngine(file=recorded(Path(folder), requests))
        rows = compared("replay", replay, requests, lost=True)
        rows += compared("hf, embedded judge", HfEngine(), few, lost=False)
        by_way = rounds(replay, requests)
    shown = [
        [row["engine"], row["workers"], f"{row['judgements']:,}", f"{row['judgements'] / row['seconds']:,.0f}", f"{row['same']:,}"]
        for row in rows
    ]
    text = table(["engine", "workers", "judgements", "a second", "texts as in one process"], shown)
    ways = table(["way", "seconds for a round of 64"], [[way, f"{seconds:.3f}"] for way, seconds in by_way.items()])
    (RESULTS / "ray_scale.md").write_text(f"Ray {ray.__version__}; two nodes of one core each on one machine of two.\n\n{text}\n\n{ways}\n")
    save("ray_scale", {"ray": ray.__version__, "rows": rows, "rounds": by_way})


if __name__ == "__main__":
    main()

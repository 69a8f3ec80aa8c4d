"""On a cluster of two nodes every prompt has the completion of one process, also when a node is lost; mistakes are told as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

ray = pytest.importorskip("ray", reason="Ray is not installed; 'make test-ray' makes an environment that has it")

from adjudge_ray import RayEngine  # noqa: E402

from adjudge import Completion, ConfigError, Engine, Message, PluginError, Plugins, Session, find_model, validate  # noqa: E402
from adjudge_engines import ReplayEngine  # noqa: E402

ASKED: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 64}
PROMPTS: list[list[Message]] = [[{"role": "user", "content": f"prompt {number}"}] for number in range(200)] * 3
SEEDS = list(range(len(PROMPTS)))


class Told(Engine):
    """Replays, and writes down which prompts it was asked, one file for each process."""

    use: Literal["told"] = "told"
    file: Path
    folder: Path

    @contextmanager
    def open(self, model: Path) -> Iterator[Session]:
        with ReplayEngine(file=self.file).open(model) as session:
            yield ToldSession(session, self.folder)


class ToldSession:
    """See `Told`; every answer takes some time, so that a node can be lost meanwhile."""

    def __init__(self, session: Session, folder: Path) -> None:
        self.session, self.folder = session, folder

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        import os
        import time

        for index, completion in self.session.sample(prompts, seeds=seeds, **settings):
            time.sleep(0.01)
            with (self.folder / f"{os.getpid()}.txt").open("a") as told:
                told.write(f"{seeds[index]}\n")
            yield index, completion


@pytest.fixture(autouse=True)
def _sent_whole(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers cannot import this file, so what it defines is sent to them whole."""
    import sys

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def alone(engine: Engine, model: Path) -> dict[int, Completion]:
    with engine.open(model) as session:
        return dict(session.sample(PROMPTS, seeds=SEEDS, **ASKED))


def asked(folder: Path) -> Counter[int]:
    return Counter(int(line) for file in folder.glob("*.txt") for line in file.read_text().split())


def test_a_run_file_says_it_as_any_engine() -> None:
    engine = validate(RayEngine, {"use": "ray", "address": "10.0.0.1:6379", "engine": {"use": "hf"}}, Plugins.load(), "engine")
    assert engine.engine.use == "hf"
    assert not engine.per_process


def test_every_prompt_has_the_completion_of_one_process_and_both_nodes_work(cluster: Any, recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "told").mkdir()
    engine = Told(file=recorded, folder=tmp_path / "told")
    with RayEngine(address=cluster.address, engine=engine, batch=10).open(tmp_path) as session:
        found = list(session.sample(PROMPTS, seeds=SEEDS, **ASKED))
    assert len(found) == len(PROMPTS)
    assert dict(found) == alone(ReplayEngine(file=recorded), tmp_path)
    assert asked(tmp_path / "told") == Counter(SEEDS)
    assert len(list((tmp_path / "told").glob("*.txt"))) == 2


def test_a_lost_node_costs_what_its_worker_had_in_hand_and_nothing_else(cluster: Any, recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "told").mkdir()
    engine = Told(file=recorded, folder=tmp_path / "told")
    lost = sorted(cluster.worker_nodes, key=lambda node: node.node_id)[0]
    found: list[tuple[int, Completion]] = []
    with RayEngine(address=cluster.address, engine=engine, batch=10).open(tmp_path) as session:
        for pair in session.sample(PROMPTS, seeds=SEEDS, **ASKED):
            found.append(pair)
            if len(found) == 100:
                cluster.remove_node(lost, allow_graceful=False)
    assert len(found) == len(PROMPTS)
    assert dict(found) == alone(ReplayEngine(file=recorded), tmp_path)
    again = asked(tmp_path / "told")
    assert set(again) == set(SEEDS)
    assert sum(again.values()) - len(SEEDS) <= 2 * 10  # two batches are in hand


def test_nothing_is_asked_ahead_of_who_takes_the_answers(cluster: Any, recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "told").mkdir()
    engine = Told(file=recorded, folder=tmp_path / "told")
    with RayEngine(address=cluster.address, engine=engine, batch=10).open(tmp_path) as session:
        answers = session.sample(PROMPTS, seeds=SEEDS, **ASKED)
        next(answers)
        answers.close()  # type: ignore[attr-defined]
        assert len(list(session.sample(PROMPTS[:10], seeds=SEEDS[:10], **ASKED))) == 10
    assert sum(asked(tmp_path / "told").values()) <= 2 * 2 * 10 + 10


def test_a_mistake_is_told_as_on_one_machine(cluster: Any, tmp_path: Path) -> None:
    engine = RayEngine(address=cluster.address, engine=ReplayEngine(file=tmp_path / "absent.jsonl"))
    with pytest.raises(ConfigError, match=r"absent\.jsonl"), engine.open(tmp_path) as session:
        list(session.sample(PROMPTS, seeds=SEEDS, **ASKED))


def test_statistics_of_given_tokens_are_those_of_one_process(cluster: Any, tmp_path: Path) -> None:
    model = find_model("adjudge_arithmetic:model")
    engine = validate(RayEngine, {"use": "ray", "address": cluster.address, "engine": {"use": "hf"}}, Plugins.load(), "engine")
    assert "rank" in engine.statistics
    continuations = [[5, 6, 7], [8], [9, 10], [11, 12, 13, 14], [5]]
    with engine.open(model) as spread, engine.engine.open(model) as alone:
        found, expected = (session.logprobs(PROMPTS[0], continuations, statistics=("entropy", "rank")) for session in (spread, alone))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours["rank"] == theirs["rank"]
        assert ours["entropy"] == pytest.approx(theirs["entropy"], abs=1e-5)
        assert ours["logprob"] == pytest.approx(theirs["logprob"], abs=1e-5)


def test_an_engine_that_cannot_do_it_is_named(cluster: Any, recorded: Path, tmp_path: Path) -> None:
    engine = RayEngine(address=cluster.address, engine=Told(file=recorded, folder=tmp_path))
    with pytest.raises(PluginError, match=r"'told'.*logprobs"), engine.open(tmp_path) as session:
        session.logprobs(PROMPTS[0], [[1, 2]])


def test_no_cluster_and_no_room_are_the_users_to_mend(cluster: Any, recorded: Path, tmp_path: Path) -> None:
    engine = RayEngine(address=cluster.address, engine=ReplayEngine(file=recorded), gpus=1)
    with pytest.raises(ConfigError, match=r"no node .* 1 GPUs"), engine.open(tmp_path):
        pass
    with pytest.raises(ConfigError, match="no cluster answers"), RayEngine(address="127.0.0.1:9", engine=engine.engine).open(tmp_path):
        pass

"""Files that were cut short are told from whole ones, and a disk that is full loses and damages nothing."""

from __future__ import annotations

import json
import logging
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, ConfigError, JobError, Outcome, ReasoningPath, Records, Verdict, write_json
from adjudge_engines import is_whole_safetensors
from adjudge_trl.checkpoints import is_whole_checkpoint


def safetensors(size: int = 12) -> bytes:
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\x01" * size


def test_weights_are_whole_or_not(tmp_path: Path, embedded: Path) -> None:
    assert is_whole_safetensors(embedded / "model.safetensors")
    whole, file = safetensors(), tmp_path / "w.safetensors"
    for kept in range(len(whole)):
        file.write_bytes(whole[:kept])
        assert not is_whole_safetensors(file), kept
    file.write_bytes(whole)
    assert is_whole_safetensors(file)
    assert not is_whole_safetensors(tmp_path / "none.safetensors")


@given(st.binary(max_size=200))
def test_any_other_file_is_no_whole_one(content: bytes) -> None:
    file = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp") / "adjudge-any.safetensors"
    file.write_bytes(content)
    assert is_whole_safetensors(file) is False
    file.unlink()


def checkpoint(folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(safetensors())
    with zipfile.ZipFile(folder / "optimizer.pt", "w") as archive:
        archive.writestr("archive/data.pkl", "state")
    (folder / "trainer_state.json").write_text("{}")
    return folder


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "trainer_state.json"])
def test_a_checkpoint_with_any_torn_file_is_not_whole(tmp_path: Path, name: str) -> None:
    folder = checkpoint(tmp_path / "checkpoint-3")
    assert is_whole_checkpoint(folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    assert not is_whole_checkpoint(folder)


def test_a_plain_pickle_is_no_checkpoint(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "checkpoint-3")
    (folder / "optimizer.pt").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert not is_whole_checkpoint(folder)


def no_space(*_: Any, **__: Any) -> Any:
    raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "result.json"
    write_json(file, {"old": 1})
    monkeypatch.setattr(Path, "open", no_space)
    with pytest.raises(JobError, match=r"result.json cannot be written: No space left on device.\n  Remedy: make room, and run again"):
        write_json(file, {"new": 2})
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    assert json.loads(file.read_text()) == {"old": 1}


def test_a_record_that_was_cut_off_by_a_full_disk_is_written_again(tmp_path: Path, limited: Callable[[int], None]) -> None:
    records = Records(tmp_path / "paths.jsonl")
    records.append({"id": "a", "text": "short"})
    limited(200)
    with pytest.raises(JobError, match=r"paths\.jsonl cannot be written: File too large"):
        records.append({"id": "b", "text": "long " * 100})
    limited(-1)
    again = Records(tmp_path / "paths.jsonl")
    assert again.ids == {"a"}
    again.append({"id": "b", "text": "long " * 100})
    assert [record["id"] for record in Records(tmp_path / "paths.jsonl")] == ["a", "b"]


@pytest.fixture
def limited() -> Any:
    """The size that a file may grow to, as the kernel sees to it: a disk that is full for real."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (before[0] if size < 0 else size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_token_numbers_that_a_full_disk_cuts_are_written_again(tmp_path: Path, limited: Callable[[int], None]) -> None:
    """What was written of a row is taken back, and the next one stands where it would have stood."""
    pytest.importorskip("pyarrow", reason="token files take pyarrow")
    made = [
        ReasoningPath(name, "p", "given", 0, Completion("t", (number,) * 200, (1,) * 200, (-0.5,) * 200), Verdict(Outcome.FIRST))
        for number, name in enumerate("abc")
    ]
    records = Records(tmp_path / "paths.jsonl")
    records.append(made[0])
    limited(4000)  # a row is 2,400 bytes and its head
    with pytest.raises(JobError, match=r"paths\.jsonl cannot be written: File too large\.\n  Remedy: make room"):
        records.append(made[1])
    limited(-1)
    for path in made[1:]:
        records.append(path)
    assert records.load(ReasoningPath) == Records(tmp_path / "paths.jsonl").load(ReasoningPath) == made
    records.close()
    assert Records(tmp_path / "paths.jsonl").load(ReasoningPath) == made


def test_what_is_worth_knowing_is_in_the_runs_log(world: Any) -> None:
    def sample(run: Any) -> None:
        logging.getLogger("adjudge.engines").warning("a batch was halved")

    sample.__name__ = "run_started"
    world.observe("watcher", sample)
    world.run().execute()
    logging.getLogger("adjudge.engines").warning("after the run")
    log = (world.folder / "out" / "log.txt").read_text()
    assert "WARNING a batch was halved" in log
    assert "after the run" not in log


def test_a_folder_that_cannot_be_written_is_named(world: Any) -> None:
    (world.folder / "taken").write_text("a file")
    with pytest.raises(ConfigError, match=r"out: .*taken cannot be written: .*\n  Remedy: choose another folder"):
        world.run(out="taken").execute()


def test_two_processes_do_not_share_a_run_folder(world: Any) -> None:
    found: list[str] = []

    def second(run: Any) -> None:
        with pytest.raises(ConfigError) as caught:
            world.run().execute()
        found.append(str(caught.value))

    second.__name__ = "run_started"
    world.observe("second", second)
    world.run().execute()
    assert "another process is at work in" in found[0]
    assert "Remedy: wait for it, or choose another folder." in found[0]
    assert (world.folder / "out" / "done.json").exists()

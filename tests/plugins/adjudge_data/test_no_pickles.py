"""A data file that is a pickle in disguise is refused, and nothing in it runs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from adjudge import DataError, Plugins, RunConfig, validate


class Malicious:
    """What runs when it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.sign,)


@pytest.mark.parametrize("use", ["jsonl", "preference"])
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.pkl", "rows.json"])
@pytest.mark.parametrize("protocol", [0, 5])
def test_a_pickle_is_no_data(tmp_path: Path, plugins: Plugins, use: str, name: str, protocol: int) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Malicious(tmp_path / "it-ran"), protocol))
    data = {"use": use, "file": str(tmp_path / name)}
    run = {"out": str(tmp_path / "run"), "model": "adjudge_arithmetic:model", "stages": [], "data": data}
    with pytest.raises(DataError, match=rf"{name}: (line 1 is not JSON|cannot be read as UTF-8 text)"):
        list(validate(RunConfig, run, plugins, "run.yaml").data.load())
    assert not (tmp_path / "it-ran").exists()

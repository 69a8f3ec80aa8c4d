"""What the tests of the command line share: a plugin that is installed for them, a model, a run file, and a way to call a command."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import Plugins
from adjudge.cli.app import app_of

FAKE = '''
"""A plugin whose engine prefers the larger number and whose trainer hands the model on."""
import re, shutil, time
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from adjudge import Completion, Engine, PathScorer, Reporter, Score, StageResult, StageTrainer, hookimpl

class Oracle(Engine):
    """Prefers the larger number."""
    use: Literal["oracle"] = "oracle"
    error: str | None = None
    """What every call fails with."""
    broken: bool = False
    """Whether opening raises."""
    seconds: float = 0.0
    """How long each judgement takes."""
    tokens: int = 7
    """How many tokens a judgement has; 0 = the engine returns texts alone."""

    says: str | None = None
    """What every judgement says, in place of its own mind."""
    trouble: Path | None = None
    """A file of texts, one a line: calls about a prompt that has one of them fail for as long as it stands there."""
    log: Path | None = None
    """A file to which every prompt is appended that the engine is asked."""
    batch_tokens: int = 0
    """Nothing depends on it."""
    without_effect = frozenset({"batch_tokens"})
    told: bool = False
    """Whether it tells what its answers depend on, and counts tokens."""

    def fingerprint(self):
        return {"error": self.error, "tokens": self.tokens} if self.told else None

    def count_tokens(self, model, prompts):
        return [100 for _ in prompts] if self.told else None

    @contextmanager
    def open(self, model):
        if self.broken:
            raise OSError("no such weights")
        if self.seconds > 10:
            print("ready", flush=True)
        yield self

    def sample(self, prompts, *, seeds, temperature, top_p, max_new_tokens):
        for index, prompt in enumerate(prompts):
            time.sleep(self.seconds)
            if self.log:
                with self.log.open("a") as log:
                    log.write(repr(prompt[-1]["content"]) + "\\n")
            if self.error or any(text in prompt[-1]["content"] for text in self.troubles()):
                yield index, Completion("", error=self.error or "timeout")
                continue
            if self.says:
                yield index, Completion(self.says)
                continue
            one, two = (int(n) for n in re.findall(r"### Assistant \\d\\s+(\\d+)", prompt[-1]["content"]))
            text = f"{one} against {two} \\\\boxed{{Assistant {1 if one > two else 2}}}"
            yield index, Completion(text, tuple(range(self.tokens)), (1,) * self.tokens)

    def troubles(self):
        return self.trouble.read_text().splitlines() if self.trouble and self.trouble.exists() else []

    def tokenize(self, text, token_ids=()):
        return Completion(text, tuple(map(ord, text)), tuple(range(1, len(text) + 1)))

    def logprobs(self, prompt, continuations):
        time.sleep(self.seconds)
        return [[-0.5] * len(tokens) for tokens in continuations]

class Numbers(PathScorer):
    """Gives the length of a path as numpy has it."""
    use: Literal["numbers"] = "numbers"
    value: str = "length"
    """What every score is, in place of it."""
    part: str = "1"
    """What its part is."""
    def score(self, problem, paths, session):
        import numpy
        made = [numpy.float32(len(path.completion.text) if self.value == "length" else self.value) for path in paths]
        return [Score(path.id, value, {"part": numpy.float32(self.part)}) for path, value in zip(paths, made)]

class Same(StageTrainer):
    """Copies the model."""
    use: Literal["same"] = "same"
    judges: bool = False
    """Whether it asks for a judgement of every problem first."""
    def train(self, stage):
        if self.judges:
            with stage.open(stage.model) as session:
                stage.sample(session, stage.problems, "paths")
        shutil.copytree(stage.model, stage.folder / "model", dirs_exist_ok=True)
        return StageResult(stage.folder / "model", {})

class Page(Reporter):
    """Writes a page without writing one."""
    use: Literal["page"] = "page"
    def start(self, run):
        return object()

@hookimpl
def register_engines():
    return [Oracle]

@hookimpl
def register_path_scorers():
    return [Numbers]

@hookimpl
def register_stage_trainers():
    return [Same]

@hookimpl
def register_reporters():
    return [Page]
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for sys.path with the fake plugin as an installed distribution."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "adjudge_fake_cli.py").write_text(FAKE)
    info = folder / "adjudge_fake_cli-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: adjudge-fake-cli\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[adjudge]\nfake-cli = adjudge_fake_cli\n")
    return folder


@pytest.fixture
def model(tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A model folder that judges RRM's way; the fake plugin is installed and the current folder is empty."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "judge.json").write_text('{"use": "rrm", "order": "fixed"}')
    yield folder
    sys.modules.pop("adjudge_fake_cli", None)


@pytest.fixture
def call() -> Callable[..., Any]:
    """Calls a command in this process, with its arguments and perhaps something on standard input."""

    def invoke(*args: object, stdin: str | None = None) -> Any:
        return CliRunner().invoke(app_of(Plugins.load()), [str(arg) for arg in args], input=stdin)

    return invoke


@pytest.fixture
def write_rows() -> Callable[[Path, list[Any]], Path]:
    """Writes rows, or lines as they are, to a JSON Lines file."""

    def write(file: Path, rows: list[Any]) -> Path:
        file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return file

    return write


@pytest.fixture
def pairs() -> Callable[..., list[dict[str, str]]]:
    """Preference rows whose chosen answer is the larger number."""

    def make(count: int, start: int = 0) -> list[dict[str, str]]:
        return [{"prompt": f"larger? {n}", "chosen": str(n + 1), "rejected": str(n)} for n in range(start, start + count)]

    return make


@pytest.fixture
def run_file(model: Path, tmp_path: Path, write_rows: Callable[..., Path], pairs: Callable[..., Any]) -> Callable[..., Path]:
    """Writes a run file over small preference files, with more fields and perhaps other rows to train on."""

    def write(more: str = "", train: list[Any] | None = None) -> Path:
        write_rows(tmp_path / "train.jsonl", train or pairs(3))
        write_rows(tmp_path / "test.jsonl", pairs(4, start=100))
        file = tmp_path / "run.yaml"
        file.write_text(
            f"out: {tmp_path}/out\nmodel: {model}\nengine: oracle\nreporters: []\n"
            "data: {use: preference, file: train.jsonl}\nstages: [same]\n"
            "evaluation: {sets: {held-out: {use: preference, file: test.jsonl}}}\n" + more
        )
        return file

    return write

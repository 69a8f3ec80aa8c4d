"""The command line: what it prints, what a program reads, and which exit code every mistake has."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge.cli import app

COMMANDS = ("run", "judge", "rank", "eval", "report", "plugins", "schema", "new-plugin")

FAKE = '''
"""A plugin whose engine prefers the larger number and whose trainer hands the model on."""
import re, shutil, time
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from adjudge import Completion, Engine, Reporter, StageResult, StageTrainer, hookimpl

class Oracle(Engine):
    """Prefers the larger number."""
    use: Literal["oracle"] = "oracle"
    error: str | None = None
    """What every call fails with."""
    broken: bool = False
    """Whether opening raises."""
    seconds: float = 0.0
    """How long each judgement takes."""

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
            if self.error:
                yield index, Completion("", error=self.error)
                continue
            one, two = (int(n) for n in re.findall(r"### Assistant \\d\\s+(\\d+)", prompt[-1]["content"]))
            text = f"{one} against {two} \\\\boxed{{Assistant {1 if one > two else 2}}}"
            yield index, Completion(text, tuple(range(7)), (1,) * 7)

class Same(StageTrainer):
    """Copies the model."""
    use: Literal["same"] = "same"
    def train(self, stage):
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


def call(*args: object, stdin: str | None = None) -> Any:
    return CliRunner().invoke(app, [str(arg) for arg in args], input=stdin)


def write_rows(file: Path, rows: list[Any]) -> Path:
    file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return file


def pairs(count: int, start: int = 0) -> list[dict[str, str]]:
    return [{"prompt": f"larger? {n}", "chosen": str(n + 1), "rejected": str(n)} for n in range(start, start + count)]


RunFile = Callable[..., Path]


@pytest.fixture
def run_file(model: Path, tmp_path: Path) -> RunFile:
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


# Help ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    assert "Example: " in result.stdout


def test_help_lists_every_command() -> None:
    help_text = call("--help").stdout
    assert all(command in help_text for command in COMMANDS)


def test_help_is_fast_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from adjudge.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'transformers', 'trl', 'scipy', 'numpy', 'matplotlib', 'datasets', 'choix'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    seconds: list[float] = []
    while len(seconds) < 5 and min(seconds, default=1.0) >= 0.5:
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 0.5


def test_an_unknown_command_or_option_is_a_usage_error() -> None:
    assert call("jugde").exit_code == 2
    assert call("run", "x.yaml", "--dry").exit_code == 2


# adjudge run --------------------------------------------------------------------------------------------------------------


def test_run_prints_a_row_per_stage_and_the_folder(run_file: RunFile, tmp_path: Path) -> None:
    result = call("run", run_file())
    assert result.exit_code == 0, result.output
    assert "0-base" in result.stdout
    assert "1-same" in result.stdout
    assert "1.000" in result.stdout
    assert f"Run folder: {tmp_path}/out" in result.stdout
    assert (tmp_path / "out" / "done.json").exists()


def test_a_complete_run_says_so_and_prints_the_table_again(run_file: RunFile) -> None:
    file = run_file()
    first, second = call("run", file), call("run", file)
    assert second.exit_code == 0
    assert "complete already" in second.stdout
    assert "complete already" not in first.stdout
    assert "1-same" in second.stdout


def test_run_json_is_for_programs(run_file: RunFile) -> None:
    data = json.loads(call("run", run_file(), "--json").stdout)
    assert [stage["name"] for stage in data["stages"]] == ["0-base", "1-same"]
    assert data["stages"][1]["evaluation"]["held-out"]["accuracy"] == 1.0
    assert data["was_complete"] is False


def test_dry_run_checks_everything_and_does_nothing(run_file: RunFile, tmp_path: Path) -> None:
    result = call("run", run_file(), "--dry-run")
    assert result.exit_code == 0, result.output
    assert "held-out (4 problems)" in result.stdout
    assert "0-base → 1-same" in result.stdout
    assert not (tmp_path / "out").exists()
    assert json.loads(call("run", run_file(), "--dry-run", "--json").stdout)["problems"] == 3


def test_set_overrides_the_run_file(run_file: RunFile) -> None:
    plan = json.loads(call("run", run_file(), "--dry-run", "--json", "--set", "data.limit=2", "--set", "seed=7").stdout)
    assert (plan["problems"], plan["seed"]) == (2, 7)


def test_bad_lines_end_the_run_unless_they_are_to_be_skipped(run_file: RunFile) -> None:
    file = run_file(train=[*pairs(2), "{broken"])
    strict = call("run", file, "--dry-run")
    assert strict.exit_code == 2
    assert "train.jsonl: line 3 is not JSON" in strict.stderr
    tolerant = call("run", file, "--dry-run", "--json", "--skip-bad-lines")
    assert json.loads(tolerant.stdout)["problems"] == 2
    assert "1 bad line skipped" in tolerant.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("sede: 1\n", "sede: Extra inputs are not permitted"),
        ("seed: many\n", "seed: Input should be a valid integer"),
        ("judge: rmm\n", "no judge is called 'rmm'; did you mean 'rrm'?"),
    ],
)
def test_mistakes_in_the_run_file_are_named(run_file: RunFile, more: str, message: str) -> None:
    result = call("run", run_file(more))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_a_missing_run_file_is_named(tmp_path: Path) -> None:
    result = call("run", tmp_path / "none.yaml")
    assert (result.exit_code, "none.yaml: no such run file" in result.stderr) == (2, True)


# adjudge judge, rank, eval --------------------------------------------------------------------------------------------------


def test_judge_reads_pairs_from_standard_input(model: Path) -> None:
    rows = '{"prompt": "larger?", "answers": ["7", "12"], "id": "a"}\n{"prompt": "larger?", "chosen": "5", "rejected": "3"}\n'
    result = call("judge", "-", "--model", model, "--engine", "oracle", "--order", "both", "--json", stdin=rows)
    assert result.exit_code == 0, result.output
    one, other = map(json.loads, result.stdout.splitlines())
    assert (one["id"], one["outcome"], other["outcome"]) == ("a", "second", "first")
    assert [judgement["order"] for judgement in one["judgements"]] == ["given", "swapped"]
    assert one["judgements"][1]["reasoning"] == "12 against 7"


def test_judge_shows_the_reasoning_to_people(model: Path) -> None:
    result = call("judge", "--model", model, "--engine", "oracle", stdin='{"prompt": "larger?", "answers": ["7", "12"]}\n')
    assert "second" in result.stdout
    assert "7 against 12" in result.stdout


def test_set_changes_the_model_own_judge(model: Path) -> None:
    rows = '{"prompt": "larger?", "answers": ["7", "12"]}\n'
    result = call("judge", "-m", model, "--engine", "oracle", "--set", "judge.order=both", "--json", stdin=rows)
    assert len(json.loads(result.stdout)["judgements"]) == 2
    wrong = call("judge", "-m", model, "--engine", "oracle", "--set", "judge.temperature=-1", stdin=rows)
    assert (wrong.exit_code, "judge.temperature: Input should be greater than or equal to 0" in wrong.stderr) == (2, True)


def test_the_same_pair_twice_is_judged_twice(model: Path) -> None:
    rows = '{"prompt": "larger?", "answers": ["7", "12"]}\n' * 2
    result = call("judge", "-m", model, "--engine", "oracle", "--json", stdin=rows)
    idents = [json.loads(line)["id"] for line in result.stdout.splitlines()]
    assert len(set(idents)) == 2


def test_a_model_without_judge_json_needs_to_be_told(model: Path) -> None:
    (model / "judge.json").unlink()
    rows = '{"prompt": "larger?", "answers": ["7", "12"]}\n'
    untold = call("judge", "-m", model, "--engine", "oracle", stdin=rows)
    assert (untold.exit_code, "has no judge.json" in untold.stderr) == (2, True)
    assert call("judge", "-m", model, "--engine", "oracle", "--set", "judge=rrm", stdin=rows).exit_code == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('{"prompt": "p", "answers": ["1", "2"]}\nnonsense\n', "-: line 2 is not JSON"),
        ('{"prompt": "p", "answers": ["1"]}\n', "-: line 1 has 1 answers; a judgement takes two"),
        ('{"prompt": "p", "answers": [1, 2]}\n', "has no field 'answers' that is a list of texts"),
        ('{"answers": ["1", "2"]}\n', "has no field 'prompt'"),
        ("", "standard input: the data set is empty"),
    ],
)
def test_rows_that_cannot_be_judged_are_named(model: Path, rows: str, message: str) -> None:
    result = call("judge", "-m", model, "--engine", "oracle", stdin=rows)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_missing_model_is_named(model: Path) -> None:
    result = call("judge", "-m", "nowhere", "--engine", "oracle", stdin="{}")
    assert (result.exit_code, "'nowhere': no such folder" in result.stderr) == (2, True)


def test_an_engine_that_raises_is_named(model: Path) -> None:
    rows = '{"prompt": "larger?", "answers": ["7", "12"]}\n'
    result = call("judge", "-m", model, "--engine", "{use: oracle, broken: true}", stdin=rows)
    assert result.exit_code == 2
    assert "'oracle'" in result.stderr
    assert "raised in open(): OSError: no such weights" in result.stderr


def test_the_job_failed_when_every_call_did(model: Path) -> None:
    rows = '{"prompt": "larger?", "answers": ["7", "12"]}\n'
    result = call("judge", "-m", model, "--engine", "{use: oracle, error: timeout}", "--json", stdin=rows)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["outcome"] == "failed"
    assert "all 1 calls to engine 'oracle' failed, the last with: timeout" in result.stderr


def test_long_work_shows_progress_in_plain_lines(model: Path) -> None:
    rows = "".join(f'{{"prompt": "larger?", "answers": ["7", "{n}"]}}\n' for n in range(20, 24))
    result = call("judge", "-m", model, "--engine", "{use: oracle, seconds: 0.6}", "--json", stdin=rows)
    assert re.search(r"judged [34] of 4, about \d s left", result.stderr)
    assert len(result.stdout.splitlines()) == 4


def test_rank_orders_answers_best_first(model: Path) -> None:
    rows = '{"prompt": "largest?", "answers": ["3", "9", "5", "1"]}\n'
    result = call("rank", "-", "-m", model, "--engine", "oracle", "--use", "round-robin", "--votes", 2, "--json", stdin=rows)
    assert result.exit_code == 0, result.output
    row = json.loads(result.stdout)
    assert row["order"] == [1, 2, 0, 3]
    assert (len(row["matches"]), row["undecided"], len(row["ratings"])) == (6, 0, 4)


def test_rank_prints_a_table(model: Path) -> None:
    rows = '{"prompt": "largest [b]?", "answers": ["3", "9", "5"]}\n'
    result = call("rank", "-m", model, "--engine", "oracle", stdin=rows)
    assert result.exit_code == 0, result.output
    assert "largest [b]?" in result.stdout
    assert "2 matches, 0 undecided" in result.stdout


def test_rank_names_an_unknown_aggregator(model: Path) -> None:
    result = call("rank", "-m", model, "--engine", "oracle", "--use", "nockout", stdin='{"prompt": "p", "answers": ["1", "2"]}')
    assert (result.exit_code, "did you mean 'knockout'?" in result.stderr) == (2, True)


def test_eval_measures_a_labelled_file(model: Path, tmp_path: Path) -> None:
    wrong = [{"prompt": "trick", "chosen": "1", "rejected": "2"}]
    file = write_rows(tmp_path / "pairs.jsonl", pairs(3) + wrong)
    data = json.loads(call("eval", file, "-m", model, "--engine", "oracle", "--json").stdout)
    assert (data["n"], data["accuracy"]) == (4, 0.75)
    assert data["interval"][0] < 0.75 < data["interval"][1]
    assert data["outcomes"]["unreadable"] == 0
    assert "0.750" in call("eval", file, "-m", model, "--engine", "oracle").stdout


def test_eval_takes_any_data_set(model: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"prompt": f"{n}?", "answers": ["1", "2"], "label": 1} for n in range(5)])
    result = call("eval", "--data", "{use: jsonl, file: rows.jsonl, limit: 2}", "-m", model, "--engine", "oracle", "--json")
    assert json.loads(result.stdout)["n"] == 2


def test_eval_needs_labels_and_one_source(model: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"prompt": "?", "answers": ["1", "2"]}])
    unlabelled = call("eval", "--data", "{use: jsonl, file: rows.jsonl}", "-m", model, "--engine", "oracle")
    assert (unlabelled.exit_code, "has a label" in unlabelled.stderr) == (2, True)
    assert call("eval", "-m", model, "--engine", "oracle").exit_code == 2


# adjudge plugins, schema, report --------------------------------------------------------------------------------------------


def test_plugins_tells_where_each_component_is_from(model: Path) -> None:
    data = json.loads(call("plugins", "--json").stdout)
    oracle = next(row for row in data["components"] if row["name"] == "oracle")
    assert oracle == {
        "kind": "engine",
        "name": "oracle",
        "doc": "Prefers the larger number.",
        "plugin": "fake-cli",
        "distribution": "adjudge-fake-cli",
        "version": "1.2",
    }
    assert "Prefers the larger number." in call("plugins").stdout


def test_plugins_lists_the_blocked_and_the_broken(model: Path, tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "adjudge_bad-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: adjudge-bad\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[adjudge]\nbad = adjudge_no_such_module\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ADJUDGE_BLOCK", "fake-cli")
    data = json.loads(call("plugins", "--json").stdout)
    assert "oracle" not in [row["name"] for row in data["components"]]
    assert data["blocked"] == ["fake-cli"]
    assert "adjudge_no_such_module" in data["broken"]["bad (adjudge-bad 0.1)"]
    assert "blocked: fake-cli" in call("plugins").stdout


def test_schema_is_json_and_knows_the_components() -> None:
    schema = json.loads(call("schema").stdout)
    assert {"out", "model", "data", "stages"} <= set(schema["properties"])
    assert "rrm" in json.dumps(schema["$defs"]["Judge"])


def test_report_writes_the_page_of_a_run(run_file: RunFile, tmp_path: Path) -> None:
    call("run", run_file())
    result = call("report", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert Path(result.stdout.strip()).read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_report_of_something_else_is_a_mistake(tmp_path: Path) -> None:
    result = call("report", tmp_path)
    assert (result.exit_code, "is not a run folder" in result.stderr) == (2, True)


# The installed command -------------------------------------------------------------------------------------------------------


def test_the_console_script_ends_with_a_message_and_no_traceback(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("adjudge")
    result = subprocess.run([script, "run", "none.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("adjudge: none.yaml: no such run file.")
    assert "Traceback" not in result.stderr


def test_ctrl_c_ends_with_130_and_no_traceback(model: Path, site: Path) -> None:
    args = [sys.executable, "-c", "from adjudge.cli import main; main()", "judge", "-m", str(model)]
    args += ["--engine", "{use: oracle, seconds: 60}"]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    process = subprocess.Popen(args, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write('{"prompt": "larger?", "answers": ["7", "12"]}\n')
    process.stdin.close()
    process.stdin = None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in stderr

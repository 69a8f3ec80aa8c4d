"""``adjudge`` itself and ``adjudge run``: help, what it prints, what a program reads, and which exit code every mistake has."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from adjudge import Plugins, dump, read_run_file

Call = Callable[..., Any]
RunFile = Callable[..., Path]
Pairs = Callable[..., list[dict[str, str]]]
COMMANDS = ("run", "plan", "judge", "rank", "eval", "report", "plugins", "schema", "new-plugin")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(call: Call, command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    assert "Example: " in result.stdout


def test_help_lists_every_command(call: Call) -> None:
    help_text = call("--help").stdout
    assert all(command in help_text for command in COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    """What makes help fast, which a test cannot time: on a busy machine everything is slow."""
    code = (
        "import sys\n"
        "from adjudge.cli.app import main\n"
        "sys.argv = ['adjudge', '--help']\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'transformers', 'trl', 'triton', 'vllm', 'openai', 'scipy', 'numpy', 'matplotlib', 'datasets', 'choix'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_an_unknown_command_or_option_is_a_usage_error(call: Call) -> None:
    assert call("jugde").exit_code == 2
    assert call("run", "x.yaml", "--dry").exit_code == 2


def test_run_prints_a_row_per_stage_and_the_folder(call: Call, run_file: RunFile, tmp_path: Path) -> None:
    result = call("run", run_file())
    assert result.exit_code == 0, result.output
    assert "0-base" in result.stdout
    assert "1-same" in result.stdout
    assert "1.000" in result.stdout
    assert f"Run folder: {tmp_path}/out" in result.stdout
    assert (tmp_path / "out" / "done.json").exists()


def test_a_complete_run_says_so_and_prints_the_table_again(call: Call, run_file: RunFile) -> None:
    file = run_file()
    first, second = call("run", file), call("run", file)
    assert second.exit_code == 0
    assert "complete already" in second.stdout
    assert "complete already" not in first.stdout
    assert "1-same" in second.stdout


def test_run_json_is_for_programs(call: Call, run_file: RunFile) -> None:
    data = json.loads(call("run", run_file(), "--json").stdout)
    assert [stage["name"] for stage in data["stages"]] == ["0-base", "1-same"]
    assert data["stages"][1]["evaluation"]["held-out"]["accuracy"] == 1.0
    assert data["was_complete"] is False


@pytest.fixture
def asked(tmp_path: Path) -> Callable[[], list[str]]:
    """The prompts that the engine has been asked since the last look."""

    def look() -> list[str]:
        file = tmp_path / "asked.txt"
        found = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return found

    return look


def test_failed_calls_of_a_complete_stage_are_made_again(
    call: Call, run_file: RunFile, tmp_path: Path, asked: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    """Those alone, in every stage; until then the run is not complete, and the failures stand beside what came back."""
    file = run_file()
    options = ["--set", "engine.trouble=trouble", "--set", "engine.log=asked.txt"]
    (tmp_path / "trouble").write_text("larger? 101")
    first = call("run", file, *options, "--json")
    assert first.exit_code == 0, first.output
    assert len(asked()) == 2 * (4 + 1), "one that fails is asked again once the others are through"
    for stage in json.loads(first.stdout)["stages"]:
        found = stage["evaluation"]["held-out"]
        assert (found["n"], found["accuracy"], found["outcomes"]["failed"]) == (3, 1.0, 0.25)
    assert "calls of the evaluations that failed: 2; the same command makes them again" in caplog.messages
    assert not (tmp_path / "out" / "done.json").exists()

    still = call("run", file, *options)
    assert (still.exit_code, "complete already" in still.stdout) == (0, False)
    assert "0.0/0.0/25.0" in still.stdout
    assert [("larger? 101" in prompt) for prompt in asked()] == [True, True]

    (tmp_path / "trouble").unlink()
    caplog.clear()
    mended = call("run", file, *options, "--json")
    assert len(asked()) == 2
    assert [stage["evaluation"]["held-out"]["n"] for stage in json.loads(mended.stdout)["stages"]] == [4, 4]
    assert caplog.messages == []
    assert (tmp_path / "out" / "done.json").exists()
    assert "complete already" in call("run", file, *options).stdout
    assert asked() == []


def test_a_stage_does_not_train_without_the_calls_that_failed(
    call: Call, run_file: RunFile, tmp_path: Path, asked: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    """It stops and loses nothing; the same command asks those again. Whoever would rather train without them says up to which share."""
    file = run_file()
    options = [
        "--set",
        "stages=[{use: same, judges: true}]",
        "--set",
        "evaluation={}",
        "--set",
        "engine.trouble=trouble",
        "--set",
        "engine.log=asked.txt",
    ]
    (tmp_path / "trouble").write_text("larger? 1\n")
    stopped = call("run", file, *options)
    assert stopped.exit_code == 1, stopped.stderr
    assert "stage 1-same: calls for paths that failed: 1 of 3, the last with: timeout" in stopped.stderr
    assert "max_failed" in stopped.stderr
    assert not (tmp_path / "out" / "stages" / "1-same" / "trained.json").exists()
    asked()

    assert call("run", file, *options, "--set", "max_failed=0.2").exit_code == 1
    assert len(asked()) == 1, "what came back is not asked again"
    (tmp_path / "trouble").unlink()
    assert call("run", file, *options).exit_code == 0
    assert len(asked()) == 1

    (tmp_path / "trouble").write_text("larger? 1\n")
    without = call("run", file, *options, "--set", "max_failed=0.34", "--set", "out=other")
    assert without.exit_code == 0, without.output
    assert "stage 1-same: calls for paths that failed: 1 of 3, the last with: timeout" in caplog.messages


def test_a_finished_run_is_not_the_run_of_other_data(
    call: Call, run_file: RunFile, pairs: Pairs, write_rows: RunFile, tmp_path: Path
) -> None:
    """Its old results are not printed as those of the new file; whatever has changed is named by its field."""
    file = run_file()
    assert call("run", file).exit_code == 0
    for name, rows, field in (("train", pairs(5), "data"), ("test", pairs(4, start=200), "evaluation.sets.held-out")):
        before = (tmp_path / f"{name}.jsonl").read_text()
        write_rows(tmp_path / f"{name}.jsonl", rows)
        changed = call("run", file)
        assert (changed.exit_code, changed.stdout) == (2, "")
        assert f"holds a run on other inputs; the content has changed of: {field}." in changed.stderr
        (tmp_path / f"{name}.jsonl").write_text(before)
    (tmp_path / "model" / "model.safetensors").write_text("other weights")
    assert "the content has changed of: model." in call("run", file).stderr
    (tmp_path / "model" / "model.safetensors").unlink()
    assert "complete already" in call("run", file).stdout


def test_an_option_that_no_result_depends_on_may_change(call: Call, run_file: RunFile) -> None:
    file = run_file()
    assert call("run", file).exit_code == 0
    assert "complete already" in call("run", file, "--set", "engine.batch_tokens=64").stdout
    other = call("run", file, "--set", "engine.tokens=5")
    assert (other.exit_code, "these fields differ: engine.tokens." in other.stderr) == (2, True)


def test_dry_run_checks_everything_and_does_nothing(call: Call, run_file: RunFile, tmp_path: Path) -> None:
    result = call("run", run_file(), "--dry-run")
    assert result.exit_code == 0, result.output
    assert "held-out (4 problems)" in result.stdout
    assert "0-base → 1-same" in result.stdout
    assert not (tmp_path / "out").exists()
    assert json.loads(call("run", run_file(), "--dry-run", "--json").stdout)["problems"] == 3


def test_set_overrides_the_run_file(call: Call, run_file: RunFile) -> None:
    plan = json.loads(call("run", run_file(), "--dry-run", "--json", "--set", "data.limit=2", "--set", "seed=7").stdout)
    assert (plan["problems"], plan["seed"]) == (2, 7)


def test_another_judge_brings_its_own_options(call: Call, run_file: RunFile, tmp_path: Path) -> None:
    """Not those of the judge that the run file describes."""
    file = run_file("judge: {use: arithmetic, max_new_tokens: 112, order: both}\n")
    for sets, expected in (
        ([], {"use": "arithmetic", "max_new_tokens": 112, "order": "both"}),
        (["judge.use=rrm"], {"use": "rrm", "max_new_tokens": 8192, "order": "random"}),
        (["judge.order=fixed", "judge.use=rrm"], {"use": "rrm", "max_new_tokens": 8192, "order": "fixed"}),
    ):
        options = [
            part for setting in [*sets, f"out={tmp_path}/{len(sets)}", r"engine.says=\boxed{Assistant 1}"] for part in ("--set", setting)
        ]
        assert call("run", file, *options).exit_code == 0
        saved = yaml.safe_load((tmp_path / str(len(sets)) / "config.yaml").read_text())
        assert {name: saved["judge"][name] for name in expected} == expected


def test_set_reaches_blocks_that_the_file_does_not_have(call: Call, run_file: RunFile, tmp_path: Path) -> None:
    """The judge is then the model's own, and the engine the one that runs have."""
    file = run_file()
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if not line.startswith("engine")))
    sets = ["--set", "judge.order=both", "--set", "engine.batch_tokens=99", "--set", "engine.use=oracle"]
    result = call("run", file, *sets)
    assert result.exit_code == 0, result.output
    saved = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())
    assert (saved["judge"]["use"], saved["judge"]["order"], saved["engine"]["batch_tokens"]) == ("rrm", "both", 99)
    alone = read_run_file(file, ["engine.batch_tokens=99"], Plugins.load())
    assert dump(alone.engine)["batch_tokens"] == 99
    assert alone.engine.use == "hf"


def test_bad_lines_end_the_run_unless_they_are_to_be_skipped(call: Call, pairs: Pairs, run_file: RunFile) -> None:
    file = run_file(train=[*pairs(2), "{broken"])
    strict = call("run", file, "--dry-run")
    assert strict.exit_code == 2
    assert "adjudge: data: train.jsonl: line 3 is not JSON" in strict.stderr
    tolerant = call("run", file, "--dry-run", "--json", "--skip-bad-lines")
    assert json.loads(tolerant.stdout)["problems"] == 2
    assert "1 bad line skipped" in tolerant.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("sede: 1\n", "sede: there is no such field"),
        ("seed: many\n", "seed: Input should be a valid integer"),
        ("judge: rmm\n", "no judge is called 'rmm'; did you mean 'rrm'?"),
    ],
)
def test_mistakes_in_the_run_file_are_named(call: Call, run_file: RunFile, more: str, message: str) -> None:
    result = call("run", run_file(more))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_a_missing_data_file_is_named_with_its_field(call: Call, run_file: RunFile, tmp_path: Path) -> None:
    file = run_file()
    (tmp_path / "test.jsonl").unlink()
    result = call("run", file)
    assert result.exit_code == 2
    assert result.stderr == "adjudge: evaluation.sets.held-out: test.jsonl: no such file.\n  Remedy: check the path.\n"


def test_a_missing_run_file_is_named(call: Call, tmp_path: Path) -> None:
    result = call("run", tmp_path / "none.yaml")
    assert (result.exit_code, "none.yaml: no such run file" in result.stderr) == (2, True)


def test_the_console_script_ends_with_a_message_and_no_traceback(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("adjudge")
    result = subprocess.run([script, "run", "none.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("adjudge: none.yaml: no such run file.")
    assert "Traceback" not in result.stderr


def test_ctrl_c_ends_with_130_and_no_traceback(model: Path, site: Path) -> None:
    args = [sys.executable, "-c", "from adjudge.cli.app import main; main()", "judge", "-m", str(model)]
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


def test_a_record_and_the_report_have_all_that_a_judgement_was_made_from(call: Call, run_file: RunFile, tmp_path: Path) -> None:
    """Prompt, both answers as they were shown, what is right, and the raw text."""
    assert call("run", run_file(), "--set", "judge.order=both", "--set", "reporters=[html]").exit_code == 0
    records = [json.loads(line) for line in (tmp_path / "out" / "records" / "0-base-evaluation-held-out.jsonl").read_text().splitlines()]
    assert len(records) == 8
    for record in records:
        number = int(record["prompt"].split()[1])
        shown = [str(number), str(number + 1)]
        assert sorted(record["shown"]) == shown
        right = record["shown"] if record["order"] == "given" else record["shown"][::-1]
        assert right[("first", "second").index(record["label"])] == str(number + 1), "the label is that of the pair's own order"
        assert record["completion"]["text"].startswith(f"{record['shown'][0]} against {record['shown'][1]}")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "larger? 103" in page
    assert re.search(r"<b>answer shown (?:first|second), right</b> 104</p>", page)
    assert not re.search(r"<b>answer shown (?:first|second), right</b> 100</p>", page)

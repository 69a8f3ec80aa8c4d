"""Options that the judging commands share: one name and one meaning in all of them, and what they keep and print about a judgement."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer

from adjudge import Judge, Plugins

Call = Callable[..., Any]
Rows = Callable[..., Path]
ORDERED = ("judge", "eval", "rank", "bench")
SHARED = {
    "--judge": (*ORDERED, "score", "health"),
    "--engine": (*ORDERED, "score", "health"),
    "--data": (*ORDERED, "score", "health"),
    "--order": ORDERED,
    "--limit": (*ORDERED, "score", "health"),
    "--out": (*ORDERED, "score", "health"),
    "--json": (*ORDERED, "score", "health", "plan"),
    "--seed": (*ORDERED, "health"),
    "--dry-run": (*ORDERED, "score", "health"),
    "--no-cache": (*ORDERED, "health"),
}


@pytest.mark.parametrize(("option", "commands"), SHARED.items(), ids=str)
def test_an_option_has_one_meaning_in_every_command(option: str, commands: tuple[str, ...]) -> None:
    app = typer.Typer()
    for command in Plugins.load().commands():
        app.command(command.name)(command.function)
    found = {name: {one.opts[0]: one.help for one in command.params} for name, command in typer.main.get_command(app).commands.items()}  # type: ignore[attr-defined]
    assert all(option in found[name] for name in commands)
    assert len({found[name][option] for name in commands}) == 1


@pytest.fixture
def pair_file(tmp_path: Path, write_rows: Rows) -> Path:
    """Twelve pairs whose larger number is chosen, and wins in the eyes of the oracle."""
    return write_rows(tmp_path / "pairs.jsonl", [{"prompt": f"larger? {n}", "chosen": str(n + 1), "rejected": str(n)} for n in range(12)])


def calls(command: str, pair_file: Path) -> list[str]:
    """A call of a command about the pairs, without its options."""
    return {
        "judge": ["judge", str(pair_file)],
        "rank": ["rank", str(pair_file)],
        "eval": ["eval", str(pair_file)],
        "health": ["health", "--data", str(pair_file), "--samples", "1", "--attacked", "0"],
    }[command]


COMMANDS = ("judge", "rank", "eval", "health")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("given", ["arithmetic", "{use: arithmetic, max_new_tokens: 9}", "judge.yaml", "{max_new_tokens: 9}"])
def test_judge_is_a_name_options_or_a_file(call: Call, model: Path, pair_file: Path, tmp_path: Path, command: str, given: str) -> None:
    (tmp_path / "judge.yaml").write_text("use: arithmetic\nmax_new_tokens: 9\n")
    result = call(*calls(command, pair_file), "-m", model, "--engine", "oracle", "--judge", given, "--limit", 1, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)["total"]
    own = Plugins.load().pick(Judge, "arithmetic")().max_new_tokens
    assert told["most_tokens"] == told["judgements"][1] * (own if given == "arithmetic" else 9)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("given", "message"),
    [("nobody", "no judge is called 'nobody'"), ("none.yaml", "--judge: none.yaml cannot be read"), ("{use: [", "is not YAML")],
)
def test_a_judge_that_cannot_be_is_one_message(call: Call, model: Path, pair_file: Path, command: str, given: str, message: str) -> None:
    result = call(*calls(command, pair_file), "-m", model, "--engine", "oracle", "--judge", given)
    assert (result.exit_code, message in result.stderr) == (2, True), result.output


@pytest.mark.parametrize("command", ["judge", "rank", "eval"])
def test_data_may_be_rows_or_a_data_set(call: Call, model: Path, pair_file: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "data.yaml").write_text(f"use: preference\nfile: {pair_file}\n")
    asked = ["-m", model, "--engine", "oracle", "--json", "--limit", 3]
    found = [call(command, "--data", data, *asked) for data in (pair_file, "data.yaml", f"{{use: preference, file: {pair_file}}}")]
    assert [one.exit_code for one in found] == [0, 0, 0], found[0].output
    if command == "eval":
        assert [json.loads(one.stdout)["n"] for one in found] == [3, 3, 3]
    else:
        assert [len(one.stdout.splitlines()) for one in found] == [3, 3, 3]
    both = call(command, pair_file, "--data", pair_file, *asked)
    assert (both.exit_code, "not both" in both.stderr) == (2, True)


def test_limit_takes_problems_evenly(call: Call, model: Path, pair_file: Path) -> None:
    result = call("judge", pair_file, "-m", model, "--engine", "oracle", "--json", "--limit", 3)
    assert [json.loads(line)["prompt"] for line in result.stdout.splitlines()] == ["larger? 0", "larger? 4", "larger? 8"]


# What is kept -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_out_keeps_everything_and_the_same_call_goes_on(call: Call, model: Path, pair_file: Path, tmp_path: Path, command: str) -> None:
    engine = "{use: oracle, log: asked.txt, trouble: trouble.txt}"
    asked = [*calls(command, pair_file), "-m", model, "--engine", engine, "--out", "kept", "--json"]
    (tmp_path / "trouble.txt").write_text("larger? 3\n")
    first = call(*asked)
    assert first.exit_code == 0, first.output
    before = len((tmp_path / "asked.txt").read_text().splitlines())
    assert {"config.yaml", "manifest.json", "result.json"} <= {file.name for file in (tmp_path / "kept").iterdir()}
    (tmp_path / "trouble.txt").unlink()
    again = call(*asked)
    assert again.exit_code == 0, again.output
    more = len((tmp_path / "asked.txt").read_text().splitlines()) - before
    assert more == {"judge": 1, "eval": 1, "rank": 1, "health": 2}[command], "only what had failed is asked again"
    third = call(*asked)
    assert third.stdout == again.stdout
    assert len((tmp_path / "asked.txt").read_text().splitlines()) == before + more
    other = call(*asked, "--seed", 3)
    assert (other.exit_code, "holds a run of another configuration; these fields differ: seed" in other.stderr) == (2, True)
    pair_file.write_text(pair_file.read_text().replace("11", "13"))
    assert "the content has changed of: data" in call(*asked).stderr


def test_records_can_be_scored_and_say_what_they_are_about(call: Call, model: Path, pair_file: Path, tmp_path: Path) -> None:
    made = call("eval", pair_file, "-m", model, "--engine", "oracle", "--order", "both", "--out", "kept", "--limit", 2)
    assert made.exit_code == 0, made.output
    records = [json.loads(line) for line in (tmp_path / "kept" / "records" / "judgements.jsonl").read_text().splitlines()]
    given = {one["prompt"]: one for one in records if one["order"] == "given"}
    swapped = {one["prompt"]: one for one in records if one["order"] == "swapped"}
    assert all(given[prompt]["shown"] == swapped[prompt]["shown"][::-1] for prompt in given)
    assert {one["label"] for one in records} <= {"first", "second"}
    scored = call("score", "kept/records/judgements.jsonl", "-m", model, "--engine", "oracle", "--limit", 1, "--json")
    assert scored.exit_code == 0, scored.output
    rows = [json.loads(line) for line in scored.stdout.splitlines()]
    assert [(row["prompt"], row["text"]) for row in rows] == [(one["prompt"], one["completion"]["text"]) for one in records[:2]]
    plan = json.loads(call("score", "kept/records/judgements.jsonl", "-m", model, "--engine", "oracle", "--dry-run", "--json").stdout)
    assert (plan["paths"], plan["problems"], plan["judgements"]) == (4, 2, 0)


def test_health_writes_a_page_alone_where_it_is_told_a_page(call: Call, model: Path, pair_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    result = call(*calls("health", pair_file), "-m", model, "--engine", "oracle", "--out", "page.html")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "page.html").is_file()
    assert not (tmp_path / "records").exists()


# What is printed --------------------------------------------------------------------------------------------------------------

LARGER = '{"prompt": "larger?", "answers": ["7", "12"], "label": 1}\n'


def judgements_of(command: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    if command == "rank":
        return [one for match in row["matches"] for one in match["judgements"]]
    found: list[dict[str, Any]] = row["judgements" if command == "judge" else "judgements_made"]
    return found


@pytest.mark.parametrize("command", ["judge", "rank", "eval"])
def test_json_says_what_every_judgement_was_made_from(call: Call, model: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "larger?", "chosen": "12", "rejected": "7"}\n')
    result = call(command, "rows.jsonl", "-m", model, "--engine", "oracle", "--order", "both", "--json")
    assert result.exit_code == 0, result.output
    given, swapped = judgements_of(command, json.loads(result.stdout))
    assert (given["order"], swapped["order"]) == ("given", "swapped")
    assert given["shown"] == swapped["shown"][::-1]
    for one in (given, swapped):
        first, second = one["shown"]
        right = 1 if int(first) > int(second) else 2
        assert one["text"] == f"{first} against {second} \\boxed{{Assistant {right}}}"
        assert (one["prompt"], one["outcome"], one["tokens"]) == ("larger?", given["outcome"], 7)
        assert one["label"] in ((given["outcome"],) if command == "eval" else (given["outcome"], None))


def test_the_records_of_a_benchmark_say_it_too(call: Call, model: Path, tmp_path: Path) -> None:
    vote = {f"annotator{n}": 2 for n in (1, 2, 3)}
    (tmp_path / "rows.jsonl").write_text(
        json.dumps({"idx": 0, "instruction": "larger?", "input": "", "response1": "7", "response2": "12", **vote})
    )
    made = json.loads(
        call("bench", "pandalm", "--data", "rows.jsonl", "-m", model, "--engine", "oracle", "--order", "both", "--json").stdout
    )
    one, other = (json.loads(line) for line in Path(made["records"]).read_text().splitlines())
    assert [(row["prompt"], row["shown"], row["order"], row["label"], row["outcome"]) for row in (one, other)] == [
        ("larger?", ["7", "12"], "given", "second", "second"),
        ("larger?", ["12", "7"], "swapped", "second", "second"),
    ]
    assert other["text"] == "12 against 7 \\boxed{Assistant 1}"


@pytest.mark.parametrize("command", ["judge", "rank", "eval"])
def test_tokens_that_nobody_tells_are_not_none_written(call: Call, model: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "larger?", "chosen": "12", "rejected": "7"}\n')
    untold = call(command, "rows.jsonl", "-m", model, "--engine", "{use: oracle, tokens: 0}", "--json")
    row = json.loads(untold.stdout)
    assert [one["tokens"] for one in judgements_of(command, row)] == [None]
    if command == "rank":
        assert (row["tokens"], row["matches"][0]["tokens"]) == (None, None)
        shown = call(command, "rows.jsonl", "-m", model, "--engine", "{use: oracle, tokens: 0}").stdout
        assert "1 votes, an unknown number of tokens" in shown
    if command == "eval":
        assert row["mean_tokens"] is None


# Bench ------------------------------------------------------------------------------------------------------------------------


def test_bench_says_what_it_would_ask_and_asks_nothing(call: Call, model: Path, tmp_path: Path) -> None:
    vote = {f"annotator{n}": 1 for n in (1, 2, 3)}
    rows = [{"idx": n, "instruction": "larger?", "input": "", "response1": str(n + 1), "response2": str(n), **vote} for n in range(5)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [
        "bench",
        "pandalm",
        "--data",
        "rows.jsonl",
        "-m",
        model,
        "--engine",
        "{use: oracle, told: true}",
        "--order",
        "both",
        "--dry-run",
    ]
    told = json.loads(call(*asked, "--limit", 4, "--json").stdout)
    assert (told["problems"], told["of"], told["left_out"], told["files"]) == (4, 5, 0, ["rows.jsonl"])
    assert told["total"]["judgements"] == [8, 8]
    assert told["total"]["input_tokens"] == [800, 800]
    shown = call(*asked).stdout
    assert "files       rows.jsonl" in shown
    assert "Nothing was done: this was a dry run." in shown
    assert not (tmp_path / "runs").exists()
    refused = call("bench", "pandalm", "--data", "rows.jsonl", "--replay", "x.jsonl", "--dry-run")
    assert "--replay asks no model, so --dry-run would change nothing" in refused.stderr


def test_an_unknown_benchmark_is_told_with_the_benchmarks_alone(call: Call) -> None:
    result = call("bench", "nothing")
    assert result.exit_code == 2
    assert "no benchmark is called 'nothing'   (installed: arithmetic-levels, auto-j, " in result.stderr
    assert "preference" not in result.stderr.replace("ppe-preference", "")


def test_options_of_a_benchmark_may_stand_in_data(call: Call, model: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"id": 1, "subset": "hep-go", "prompt": "larger?", "chosen": "5", "rejected": "3"}\n')
    options = "{data: rows.jsonl, unreadable: 0}"
    made = call("bench", "rewardbench", "--data", options, "-m", model, "--engine", "{use: oracle, says: nothing}", "--json")
    assert made.exit_code == 1, "nothing can be read"
    figures = {one["name"]: one["value"] for one in json.loads(made.stdout)["figures"]}
    assert figures["hep-go"] == 0.0


def test_what_is_left_out_is_counted_in_the_result(call: Call, model: Path, tmp_path: Path) -> None:
    row = {"scenario": "s", "label": 0, "prompt": "larger?", "response 1": "5", "response 2": "3"}
    rows = [row, {**row, "response 2": "5"}, row]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    (tmp_path / "said.jsonl").write_text('{"output": 0}\n' * 3)
    made = call("bench", "auto-j", "--data", "rows.jsonl", "--replay", "said.jsonl", "--json")
    found = json.loads(made.stdout)
    assert (found["left_out"], found["repeated"], found["problems"], found["unmatched_records"]) == (1, 1, 2, 0)
    counted = call("bench", "auto-j", "--data", "rows.jsonl", "--replay", "said.jsonl", "--json", "--set", "data.identical=count")
    assert json.loads(counted.stdout)["problems"] == 3
    assert (
        "Left out for equal answers of which one is called better: 1"
        in call("bench", "auto-j", "--data", "rows.jsonl", "--replay", "said.jsonl").stdout
    )


# Endpoints --------------------------------------------------------------------------------------------------------------------


class Endpoint(BaseHTTPRequestHandler):
    """Says that the first assistant is better, whatever it is asked, and tells no tokens."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        message = {"role": "assistant", "content": "\\boxed{Assistant 1}"}
        said = {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "served",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    """An engine whose model `served` is at an endpoint on this machine."""
    pytest.importorskip("openai")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"{{use: openai, base_url: 'http://127.0.0.1:{server.server_address[1]}/v1', model: served}}"
    server.shutdown()
    server.server_close()


def test_results_bear_the_name_of_the_model_that_answered(call: Call, model: Path, pair_file: Path, tmp_path: Path, endpoint: str) -> None:
    asked = ["-m", model, "--engine", endpoint, "--json", "--limit", 2]
    for command in ("eval", "health"):
        made = call(*calls(command, pair_file), *asked)
        assert made.exit_code == 0, made.output
        assert json.loads(made.stdout)["model"] == "served"
    vote = {f"annotator{n}": 1 for n in (1, 2, 3)}
    (tmp_path / "rows.jsonl").write_text(
        json.dumps({"idx": 0, "instruction": "?", "input": "", "response1": "2", "response2": "1", **vote})
    )
    made = call("bench", "pandalm", "--data", "rows.jsonl", *asked, "--out", "kept")
    assert json.loads(made.stdout)["model"] == "served"
    assert json.loads(call("bench", "pandalm", "--data", "rows.jsonl", "--replay", "kept", "--json").stdout)["model"] == "served"


def test_a_plan_says_nothing_of_a_folder_that_does_not_answer(call: Call, run_file: Callable[..., Path], endpoint: str) -> None:
    told = call("plan", run_file(), "--set", f"engine={endpoint}", "--set", "stages=[]")
    assert told.exit_code == 0, told.output
    assert "model       served" in told.stdout
    assert "memory" not in told.stdout.lower()
    assert "parameters" not in told.stdout
    row = json.loads(call("plan", run_file(), "--set", f"engine={endpoint}", "--set", "stages=[]", "--json").stdout)
    assert (row["memory"], row["memory_unknown"]) == (None, None)

"""Who is let in, how much a request may hold, how many may wait, and what nobody finds in a log."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adjudge import DataError, Plugins
from adjudge.cli.app import app_of
from adjudge_serve.anchors import read_anchors
from adjudge_serve.run import short_pauses

from .conftest import Make, Server
from .test_routes import openrlhf

TOKEN = "a-token-of-our-own-0123"
PAIR = {"prompt": "p", "answers": ["3", "9"]}


def test_a_token_is_asked_for_in_the_header_or_the_path_and_is_in_no_log(make_server: Make, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    server = make_server("--token-file", "token", "--group-size", "1")
    for path, headers in (
        ("/v1/judge", {}),
        ("/v1/judge", {"Authorization": "Bearer wrong"}),
        ("/v1/judge", {"Authorization": f"Basic {TOKEN}"}),
        ("/t/wrong/v1/judge", {"Authorization": f"Bearer {TOKEN}"}),
        ("/metrics", {}),
        ("/openapi.json", {}),
    ):
        reply = server.ask(path, PAIR if "judge" in path else None, **headers)
        assert (reply.status, reply.headers.get("www-authenticate")) == (401, "Bearer"), path
    assert server.ask("/v1/judge", PAIR, Authorization=f"Bearer {TOKEN}").status == 200
    assert server.ask(f"/t/{TOKEN}/v1/judge", PAIR).status == 200
    assert server.ask("/healthz").status == server.ask("/readyz").status == 200
    assert TOKEN not in server.ask(f"/t/{TOKEN}/metrics").text
    server.ask(f"/t/{TOKEN}/v1/judge", raw=b"no json")
    server.terminate()
    assert server.process is not None
    assert server.process.stdout is not None
    assert TOKEN not in server.started + server.process.stdout.read() + (tmp_path / "errors").read_text()


def test_an_address_that_others_reach_has_a_token_that_is_made_and_shown_once(make_server: Make) -> None:
    server = make_server("--host", "0.0.0.0")
    assert server.process is not None
    assert server.process.stdout is not None
    shown = server.started.splitlines()[1:] or [server.process.stdout.readline()]
    token = shown[0].strip().removeprefix("Token: ")
    assert len(token) >= 32
    assert server.ask("/v1/judge", PAIR).status == 401
    server.token = token
    assert server.ask("/v1/judge", PAIR).status == 200


def test_without_a_token_a_web_page_elsewhere_is_no_client(server: Server) -> None:
    assert server.ask("/v1/judge", PAIR, Host="evil.example").status == 403
    assert server.ask("/v1/judge", PAIR, Host="localhost:1").status == 200
    assert server.ask("/v1/judge", PAIR, Content_Type="text/plain").status == 422, "what a form of another page may send"


def test_requests_are_limited(make_server: Make) -> None:
    server = make_server("--max-body", "0.001", "--max-samples", "3", "--max-queue", "2", "--group-size", "3", hold="hold")
    large = {"prompt": "p" * 2000, "answers": ["1", "2"]}
    assert (server.ask("/v1/judge", large).status, server.ask("/v1/judge", large).json["error"]["kind"]) == (413, "body_too_large")
    many = {"prompts": ["p"] * 4, "completions": list("1234")}
    assert (server.ask("/v1/reward", many).status, server.ask("/v1/reward", many).json["error"]["kind"]) == (413, "too_many_samples")
    waiting = server.all("/openrlhf", [openrlhf("3"), openrlhf("9")])
    server.wait_for("adjudge_queue_samples", 2)
    full = server.ask("/v1/judge", PAIR)
    assert (full.status, full.json["error"]["kind"], full.headers["retry-after"]) == (429, "queue_full", "1")
    assert server.ask("/openrlhf", openrlhf("1", "another group")).status == 429
    assert server.ask("/openrlhf", openrlhf("5")).json["rewards"] == [0.5], "the last of a group that waits is let in"
    assert [one.result().json["rewards"] for one in waiting] == [[0.0], [1.0]]


@pytest.fixture
def reward_file(tmp_path: Path) -> Path:
    (tmp_path / "reward.yaml").write_text("model: adjudge_arithmetic:model\n")
    return tmp_path / "reward.yaml"


def told(*arguments: str) -> str:
    """The message with which the command ends."""
    done = CliRunner().invoke(app_of(Plugins.load(autoload=False)), ["serve", *arguments])
    assert done.exit_code == 2
    return str(done.exception or "") + done.output


def test_mistakes_are_told_with_a_remedy(reward_file: Path, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("short")
    assert "no such file" in told(str(tmp_path / "none.yaml"))
    assert "16 or more letters" in told(str(reward_file), "--token-file", str(tmp_path / "short"))
    assert "cannot be read" in told(str(reward_file), "--token-file", str(tmp_path / "nowhere"))
    assert "names no column of reference answers" in told(str(reward_file), "--anchors", str(reward_file))
    (tmp_path / "text.db").write_text("no file of SQLite's" * 100)
    assert "cannot keep groups there" in told(str(reward_file), "--port", "0", "--state", str(tmp_path / "text.db"))
    assert "cannot keep groups there" in told(str(reward_file), "--port", "0", "--state", str(tmp_path / "none" / "x.db"))


def test_a_port_a_file_and_a_reward_belong_to_one_server(make_server: Make, tmp_path: Path) -> None:
    server = make_server("--state", "groups.db")
    (tmp_path / "other.yaml").write_text("model: adjudge_arithmetic:model\n")
    other, state = str(tmp_path / "other.yaml"), str(tmp_path / "groups.db")
    assert "is in use at 127.0.0.1" in told(other, "--port", str(server.port))
    assert "another server uses it" in told(other, "--port", "0", "--state", state)
    server.kill()
    assert "judged by another reward" in told(other, "--port", "0", "--state", state)


def test_a_missing_extra_is_one_message(reward_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import adjudge_serve.command

    monkeypatch.setattr(adjudge_serve.command, "NEEDED", ("fastapi", "a_package_that_is_not_there"))
    done = CliRunner().invoke(app_of(Plugins.load(autoload=False)), ["serve", str(reward_file)])
    assert done.exit_code == 2
    assert (
        "a-package-that-is-not-there is not installed here.\n  Remedy: pip install 'adjudge[serve]'." in str(done.exception) + done.output
    )


def test_the_collector_is_quiet_while_a_server_runs_and_as_it_was_afterwards() -> None:
    before = (gc.get_threshold(), sys.getswitchinterval(), gc.get_freeze_count())
    with short_pauses():
        assert gc.get_threshold()[2] > before[0][2]
        assert gc.get_freeze_count() > before[2]
        assert sys.getswitchinterval() < before[1]
    assert (gc.get_threshold(), sys.getswitchinterval()) == before[:2]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/openrlhf?N=3", "a parameter 'N', which this route does not have (it has: 'n', 'run')"),
        ("/openrlhf?n=three", "the URL's parameter 'n': Input should be a valid integer"),
        ("/openrlhf?n=", "the URL's parameter 'n'"),
        ("/v1/reward?n=3", "a parameter 'n', which this route does not have (it has: none)"),
    ],
)
def test_a_parameter_of_the_url_that_cannot_be_used_is_told(server: Server, path: str, said: str) -> None:
    body = {"prompts": ["p"], "completions": ["1"]} if "/v1" in path else {"query": ["p1"], "prompts": ["p"]}
    reply = server.ask(path, body)
    assert reply.status == 422
    assert said in reply.json["error"]["message"]


def test_the_reference_answers_of_a_prompt_in_several_rows_are_put_together(tmp_path: Path) -> None:
    file = tmp_path / "known.jsonl"
    file.write_text('{"prompt": "p", "answer": "1"}\n{"prompt": "q", "answer": ["2"]}\n{"prompt": "p", "answer": ["3", "1"]}\n')
    assert read_anchors(file, "answer") == {"p": ["1", "3"], "q": ["2"]}


@pytest.mark.parametrize(("text", "said"), [("", "known.jsonl has no rows"), ('{"prompt": "p"}\n', "no text in 'answer'")])
def test_reference_answers_that_cannot_be_used_are_told(tmp_path: Path, text: str, said: str) -> None:
    """With a remedy that the command has."""
    (tmp_path / "known.jsonl").write_text(text)
    with pytest.raises(DataError, match=said) as told:
        read_anchors(tmp_path / "known.jsonl", "answer")
    assert "Remedy" in str(told.value)
    assert "--skip-bad-lines" not in str(told.value)

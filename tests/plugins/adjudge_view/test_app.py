"""The server answers as API.md says, to this machine alone, and tells what has changed."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adjudge import Records
from adjudge_view import Library

from .made import append, path, problem, write_run

pytest.importorskip("fastapi", reason="adjudge view needs the extra 'view'")
API = Path(__file__).parents[3] / "plugins" / "adjudge_view" / "API.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("app") / "run")


@pytest.fixture(scope="module")
def client(run: Path) -> Any:
    from starlette.testclient import TestClient

    from adjudge_view import make_app

    library = Library([run])
    library.read_all()
    return TestClient(make_app(library), base_url="http://127.0.0.1")


def get(client: Any, path: str, status: int = 200, **more: Any) -> Any:
    found = client.get(path, **more)
    assert found.status_code == status, found.text
    return found.json()


def examples() -> dict[str, dict[str, Any]]:
    """The examples of API.md, by the heading that they stand under and their number there."""
    found: dict[str, dict[str, Any]] = {}
    heading = ""
    for part in re.split(r"^(## .*)$", API.read_text(), flags=re.MULTILINE):
        if part.startswith("## "):
            heading = part
            continue
        for number, text in enumerate(re.findall(r"```json\n(.*?)```", part, re.DOTALL)):
            found[f"{heading} {number}"] = json.loads(text)
    return found


def first_of(client: Any, listed: str) -> str:
    return f"{listed}/{get(client, listed)['items'][0]['id']}"


@pytest.mark.parametrize(
    ("example", "path"),
    [
        ("## GET /api/runs 0", "/api/runs"),
        ("## GET /api/runs/{run}/curves 0", "/api/runs/run/curves"),
        ("## GET /api/runs/{run}/judgements 0", "/api/runs/run/judgements?set=paths"),
        ("## GET /api/runs/{run}/judgements/{id} 0", "one of /api/runs/run/judgements"),
        ("## GET /api/compare?a=RUN:STAGE&b=RUN:STAGE 0", "/api/compare?a=run:0-base&b=run:2-sft"),
        ("## GET /api/runs/{run}/groups, /api/runs/{run}/groups/{id} 0", "/api/runs/run/groups"),
        ("## GET /api/runs/{run}/groups, /api/runs/{run}/groups/{id} 1", "one of /api/runs/run/groups"),
    ],
)
def test_answers_have_the_fields_that_are_documented(client: Any, example: str, path: str) -> None:
    answer = get(client, first_of(client, path.removeprefix("one of ")) if path.startswith("one of ") else path)
    same_fields(examples()[example], answer)


def same_fields(told: Any, answer: Any, place: str = "") -> None:
    """An answer has what its example has, in the same shape; of lists the first of each is looked at."""
    if isinstance(told, dict) and isinstance(answer, dict):
        for name, value in told.items():
            if name in ("…", "evaluation", "scorers", "outcome", "right", "told", "statistics", "parts", "score_parts"):
                continue
            assert name in answer, f"{place}.{name} is missing"
            same_fields(value, answer[name], f"{place}.{name}")
    elif isinstance(told, list) and isinstance(answer, list) and told and answer:
        same_fields(told[0], answer[0], f"{place}[0]")
    else:
        shapes = (type(told), type(answer))
        numbers = all(isinstance(one, int | float) for one in (told, answer))
        assert numbers or None in (told, answer) or shapes[0] == shapes[1], f"{place}: {told!r} is documented, and {answer!r} came"


@pytest.mark.parametrize(
    "path",
    ["/api/runs/nobody/curves", "/api/runs/run/judgements/none", "/api/runs/run/tournaments/1", "/api/runs/run/groups/x",
     "/api/compare?a=run:9-none&b=run:0-base", "/api/nothing"],
)  # fmt: skip
def test_what_is_not_here_is_404(client: Any, path: str) -> None:
    assert get(client, path, 404)["error"]["kind"] == "not_found"


@pytest.mark.parametrize("query", ["right=perhaps", "limit=501", "offset=-1", "score_min=high", "sort=best", "step=one", "outcome=won"])
def test_what_cannot_be_read_is_422_and_says_which(client: Any, query: str) -> None:
    error = get(client, f"/api/runs/run/judgements?{query}", 422)["error"]
    assert error["kind"] == "invalid_request"
    assert error["message"].startswith(query.partition("=")[0])


def test_parameters_may_be_repeated(client: Any) -> None:
    both = get(client, "/api/runs/run/judgements?stage=0-base&stage=2-sft&set=standard")
    assert both["total"] == 12
    assert {item["stage"] for item in both["items"]} == {"0-base", "2-sft"}


@pytest.mark.parametrize(
    ("host", "status"), [("127.0.0.1:80", 200), ("localhost:9", 200), ("evil.example", 400), ("127.0.0.1.evil.example", 400)]
)
def test_other_hosts_are_refused(client: Any, host: str, status: int) -> None:
    for address in ("/api/runs", "/", "/static/app.js"):
        assert client.get(address, headers={"host": host}).status_code == status


@pytest.mark.parametrize("address", ["/static/../command.py", "/static/%2e%2e/command.py", "/api/runs/../../etc/passwd"])
def test_nothing_but_the_page_is_given_out(client: Any, address: str) -> None:
    assert client.get(address).status_code == 404


def test_the_page_and_all_that_it_names_are_there(client: Any) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    named = re.findall(r'(?:src|href)="(static/[^"]+)"', page.text)
    assert named
    for one in named:
        assert client.get(f"/{one}").status_code == 200, one
    assert "<!--adjudge-export-->" in page.text


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path, subprocess.Popen[str]]]:
    """A server of its own, its address, and its run."""
    run = write_run(tmp_path / "run")
    command = [sys.executable, "-m", "adjudge", "view", str(run), "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"})
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        yield re.search(r"http://127\.0\.0\.1:\d+/", line).group(), run, process  # type: ignore[union-attr]
    finally:
        process.kill()
        process.wait()


def test_a_page_hears_of_what_is_written(server: tuple[str, Path, subprocess.Popen[str]]) -> None:
    url, run, process = server
    lines = urllib.request.urlopen(f"{url}api/events", timeout=60)
    heard: list[dict[str, Any]] = []
    assert lines.readline() == b": open\n"
    of = problem(99)

    def write() -> None:
        with urllib.request.urlopen(f"{url}api/runs", timeout=60) as answer:
            assert json.load(answer)["runs"][0]["run"] == "run"
        append(Records(run / "records" / "2-sft-evaluation-standard.jsonl"), of, path(of, "late", 0, random.Random(0)))

    writer = threading.Thread(target=write)
    writer.start()
    while True:
        line = lines.readline()
        if line.startswith(b"data: "):
            heard.append(json.loads(line[6:]))
            with urllib.request.urlopen(f"{url}api/runs/run/judgements?text=99%2B99", timeout=60) as answer:
                if json.load(answer)["total"] == 1:
                    break
    writer.join()
    assert {one["run"] for one in heard} == {"run"}
    assert any("rows" in one["what"] for one in heard)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0


def test_a_port_that_is_in_use_is_told_of(server: tuple[str, Path, subprocess.Popen[str]]) -> None:
    url, run, _ = server
    port = url.rsplit(":", 1)[1].strip("/")
    found = subprocess.run(
        [sys.executable, "-m", "adjudge", "view", str(run), "--port", port, "--no-browser"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert f"--port: {port} is in use" in found.stderr

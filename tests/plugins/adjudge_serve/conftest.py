"""Real servers on this machine, each a process of its own, and what it takes to ask them.

The processes are forks of one that has imported what servers import, but for that of the fixture `server`.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Reply:
    """What a server says."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Server:
    """A process of ``adjudge serve``, in a folder of its own."""

    folder: Path
    arguments: list[str]
    popen: type[subprocess.Popen[str]] = subprocess.Popen
    port: int = 0
    token: str | None = None
    started: str = ""
    process: subprocess.Popen[str] | None = None
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(256))

    def start(self) -> None:
        command = [sys.executable, "-m", "adjudge", "serve", "reward.yaml", "--port", str(self.port), *self.arguments]
        path = os.pathsep.join([str(self.folder), os.environ.get("PYTHONPATH", "")])
        with (self.folder / "errors").open("a") as errors:
            self.process = self.popen(
                command, cwd=self.folder, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, "PYTHONPATH": path}
            )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        assert first.startswith("Serving at "), first + (self.folder / "errors").read_text()
        self.port = int(first.rsplit(":", 1)[1])
        self.started = first
        while select.select([self.process.stdout], [], [], 0)[0]:
            self.started += (line := self.process.stdout.readline())
            if not line:
                break

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def ask(self, path: str, body: Any = None, *, raw: bytes | None = None, timeout: float = 60, **headers: str) -> Reply:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            sent = raw if raw is not None else None if body is None else json.dumps(body).encode()
            token = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            every = {"Content-Type": "application/json", **token, **named}
            connection.request("GET" if sent is None else "POST", path, sent, every)
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read().decode())
        finally:
            connection.close()

    def ask_until_answered(self, path: str, body: Any) -> Reply:
        """As a client of a framework: again whenever the connection breaks or the server has an error."""
        until = time.monotonic() + 60
        while True:
            try:
                if (reply := self.ask(path, body)).status < 500:
                    return reply
            except (OSError, http.client.HTTPException):
                pass
            assert time.monotonic() < until
            time.sleep(0.05)

    def all(self, path: str, bodies: list[Any], *, until_answered: bool = False) -> list[Any]:
        """Several requests at once, not waited for."""
        ask = self.ask_until_answered if until_answered else self.ask
        return [self.pool.submit(ask, path, body) for body in bodies]

    def metric(self, name: str) -> float:
        lines = [line.rsplit(" ", 1) for line in self.ask("/metrics").text.splitlines() if not line.startswith("#")]
        return sum(float(value) for key, value in lines if key.split("{")[0] == name)

    def wait_for(self, name: str, value: float) -> None:
        """Until a metric has reached this value."""
        until = time.monotonic() + 30
        while (found := self.metric(name)) != value:
            assert time.monotonic() < until, f"{name} is {found}"
            time.sleep(0.01)

    @property
    def judged(self) -> list[str]:
        """The pairs that the judge was asked about."""
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture(scope="session", autouse=True)
def _extra() -> None:
    for needed in ("fastapi", "uvicorn", "prometheus_client"):
        pytest.importorskip(needed, reason="the extra 'serve' is not installed")


Make = Callable[..., Server]


def _make(folder: Path, arguments: tuple[str, ...], **engine: Any) -> Server:
    shutil.copy(Path(__file__).parent / "numbers_judge.py", folder)
    info = folder / "numbers_judge-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: numbers-judge\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[adjudge]\nnumbers-judge = numbers_judge\n")
    (folder / "model").mkdir()
    (folder / "model" / "judge.json").write_text('{"use": "rrm", "order": "fixed", "max_new_tokens": 99}')
    options = {"use": "numbers", "log": str(folder / "log"), **{name: str(value) for name, value in engine.items()}}
    reward = {"model": str(folder / "model"), "engine": options, "aggregator": "round-robin", "reward": "rank", "cache": False}
    (folder / "reward.yaml").write_text(json.dumps({**reward, "anchor": "answer"}))
    return Server(folder, list(arguments))


@pytest.fixture(scope="session")
def forked_server(forks_of: Callable[..., type[subprocess.Popen[str]]]) -> type[subprocess.Popen[str]]:
    """Processes that begin where the imports of ``adjudge serve`` have ended."""
    return forks_of("adjudge.cli.app", "adjudge_serve.app", "adjudge_serve.run", "prometheus_client", "uvicorn")


@pytest.fixture
def make_server(tmp_path: Path, forked_server: type[subprocess.Popen[str]]) -> Iterator[Make]:
    """Starts a server with these arguments and options of its engine; it ends with the test."""
    made: list[Server] = []

    def make(*arguments: str, **engine: Any) -> Server:
        made.append(_make(tmp_path, arguments, **engine))
        made[-1].popen = forked_server
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.kill()
        server.pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for groups of three."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "known.jsonl").write_text('{"prompt": "Which?", "answer": ["10", "20"]}\n')
    made = _make(folder, ("--group-size", "3", "--eval-group-size", "2", "--collect-seconds", "20", "--anchors", "known.jsonl"))
    made.start()
    yield made
    made.kill()
    made.pool.shutdown(cancel_futures=True)

"""Processes of Python that need not import for seconds what others have: forks of one that has, ``python fork_server.py SOCKET MODULE …``.

`Forked` is a `subprocess.Popen` of ``[sys.executable, …]`` whose process is such a fork. It has the arguments, the environment, the files
and the folder of a fresh one, and a session of its own; it is asked to stop, killed and waited for like one. What a fork starts through
``adjudge_launch`` and torchrun is forked as well. A test of what a fresh process does starts one.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

TRAINING = (
    "torch", "torch.distributed.run", "trl", "accelerate.commands.config", "accelerate.utils", "adjudge.cli.app", "adjudge_engines",
    "adjudge_grpo.train", "adjudge_launch.task", "adjudge_sft.train",
)  # fmt: skip
"""What a training imports, and what accelerate's launcher does."""


class Forked(subprocess.Popen[Any]):
    """The call of a fresh process, made by a fork; `before` is Python that it runs first."""

    address = ""
    """Of the server; a fork knows that of the one which it is from."""

    def __init__(self, args: Sequence[str], *, before: str = "", **options: Any) -> None:
        assert args[0] == sys.executable
        self._before = before
        super().__init__(args, **options)

    def _execute_child(
        self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, cwd: Any, env: Any, startupinfo: Any,
        creationflags: Any, shell: Any, p2cread: int, p2cwrite: int, c2pread: int, c2pwrite: int, errread: int, errwrite: int, *_: Any,
    ) -> None:  # fmt: skip
        """Ask the server in the place of the kernel; it has copies of the three files."""
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(self.address)
        asked = {
            "words": list(map(str, args[1:])),
            "environment": dict(os.environ if env is None else env),
            "folder": str(cwd or os.getcwd()),
        }
        files = [number if given == -1 else given for number, given in enumerate((p2cread, c2pwrite, errwrite))]
        socket.send_fds(self._server, [b"."], files)
        self._server.sendall(json.dumps({**asked, "before": self._before}).encode() + b"\n")
        self._told = self._server.makefile("rb", buffering=0)  # what is in no buffer shows in `select`
        self.pid = int(self._told.readline())
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]

    def _try_wait(self, flags: int) -> tuple[int, int]:
        """As `os.waitpid`, of the server's word; a server that is gone has left nobody."""
        if flags == os.WNOHANG and not select.select([self._server], [], [], 0)[0]:
            return 0, 0
        return self.pid, int(self._told.readline() or signal.SIGKILL)

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self.returncode is None:
            pid, status = self._try_wait(os.WNOHANG)
            if pid:
                self._handle_exitstatus(status)  # type: ignore[attr-defined]
        return self.returncode


@contextlib.contextmanager
def forks(*modules: str) -> Iterator[type[Forked]]:
    """`Forked` of a server that has imported these, which is started when it is first used and ends with the block."""
    started: list[subprocess.Popen[bytes]] = []
    folder = tempfile.TemporaryDirectory()  # for a socket's path has to be short

    class Mine(Forked):
        address = os.path.join(folder.name, "server")

        def __init__(self, *args: Any, **options: Any) -> None:
            if not started:
                command = [sys.executable, "-P", __file__, self.address, *modules]
                started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
                assert started[0].stdout is not None
                assert started[0].stdout.readline() == b"ready\n"
            super().__init__(*args, **options)

    yield Mine
    for server in started:
        server.communicate()
    folder.cleanup()


# The server ---------------------------------------------------------------------------------------------------------------


def serve(address: str, modules: Sequence[str]) -> None:
    """Fork for everybody who asks, until standard input ends."""
    gc.disable()  # while it imports, there is nothing to collect
    for name in modules:
        importlib.import_module(name)
    gc.enable()
    Forked.address = address
    if modules == TRAINING:
        make_ready()
    if "torch" in sys.modules:
        from torch.distributed.elastic.multiprocessing.subprocess_handler import subprocess_handler

        from adjudge_launch import workers

        launching(workers, Forked)
        subprocess_handler.Popen = Forked  # type: ignore[misc]
    gc.freeze()  # what is imported is not looked through, and so not copied, in every fork
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [], 0.1)
            reap()
            if sys.stdin in ready:
                time.sleep(0.1)
                reap()
                os._exit(0)
            if listener in ready:
                asker, _ = listener.accept()
                if not os.fork():
                    listener.close()
                    attend(asker)
                asker.close()


def make_ready() -> None:
    """What a training imports and makes once in a process. No weights are loaded: what computes starts threads, which no fork has."""
    from adjudge import Plugins
    from adjudge.api.stages import KINDS

    plugins = Plugins.load(autoload=False)
    for kind in KINDS:
        plugins.of_kind(kind)
    for name in ("transformers.models.qwen2.modeling_qwen2", "matplotlib.figure", "matplotlib.backends.backend_svg"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with contextlib.suppress(ImportError):
        from transformers.conversion_mapping import get_checkpoint_conversion_mapping

        get_checkpoint_conversion_mapping("qwen2")


def reap() -> None:
    """Take leave of those that have ended, so that what they took counts as this process's."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def launching(workers: ModuleType, kind: type[Forked]) -> None:
    """Has ``adjudge_launch.workers`` start accelerate's launcher as one of these."""
    workers.subprocess = SimpleNamespace(Popen=kind, PIPE=subprocess.PIPE)  # type: ignore[attr-defined]


def attend(asker: socket.socket) -> None:
    """In a process for who asks: fork, tell the fork's id, and how it has ended."""
    _, files, _, _ = socket.recv_fds(asker, 1, 3)
    asked = json.loads(asker.makefile().readline())
    if not (pid := os.fork()):
        asker.close()
        os.setsid()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        work(**asked)
    for file in (0, 1, 2, *files):
        os.close(file)
    with contextlib.suppress(BrokenPipeError):
        asker.sendall(b"%d\n" % pid)
        asker.sendall(b"%d\n" % os.waitpid(pid, 0)[1])
    os._exit(0)


def work(words: list[str], environment: dict[str, str], folder: str, before: str) -> None:
    """Be the process that was asked for, to its end."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if "torch" in sys.modules and "OMP_NUM_THREADS" in environment:
        sys.modules["torch"].set_num_threads(int(environment["OMP_NUM_THREADS"]))
    sys.path[:0] = [place for place in environment.get("PYTHONPATH", "").split(os.pathsep) if place and place not in sys.path]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    importlib.invalidate_caches()
    with contextlib.suppress(ImportError):
        importlib.import_module("sitecustomize")
    status: Any = 1
    try:
        exec(before, {})
        run([word for word in words if word not in ("-u", "-P")])
        status = 0
    except SystemExit as end:
        status = end.code
        if isinstance(status, str):
            print(status, file=sys.stderr)
            status = 1
    except KeyboardInterrupt:
        traceback.print_exc()
        status = 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status or 0)  # taking down what is imported would take longer than most of these calls


def run(words: list[str]) -> None:
    """What Python does with these words."""
    sys.argv = words[1:] if words[0] == "-m" else words
    sys.path.insert(0, os.path.dirname(words[0]) if words[0] not in ("-c", "-m") else os.getcwd() if words[0] == "-m" else "")
    if words[0] == "-m":
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    serve(sys.argv[1], tuple(sys.argv[2:]))

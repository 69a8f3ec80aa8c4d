"""SIGTERM, the polite request to end: it ends a process as Ctrl-C does."""

import signal
from collections.abc import Callable
from typing import Any, NoReturn


class Terminated(KeyboardInterrupt):
    """Somebody sent SIGTERM; ends the process like Ctrl-C does, with an exit code of its own."""

    exit_code = 128 + signal.SIGTERM


def follow_sigterm(together: Callable[[], None] | None = None) -> None:
    """From now on SIGTERM raises `Terminated` in the main thread, so that everything is closed on the way out.

    A process among several says how they wait for each other: who puts SIGTERM off, as `adjudge_trl` does for a checkpoint, calls
    `together` in the end. So nobody leaves, and ends, while another one still writes its part. Such a process takes any number of SIGTERMs
    for one: a scheduler sends one to each, and who launched it passes on its own. It is killed where that is meant."""

    def terminate(number: int, frame: Any) -> NoReturn:
        raise Terminated

    terminate.together = together  # type: ignore[attr-defined]
    signal.signal(signal.SIGTERM, terminate)

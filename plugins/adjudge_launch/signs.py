"""What processes of a launch leave for each other in its folder, and the classes of errors that go from one to another."""

from __future__ import annotations

from adjudge import AdjudgeError, ConfigError, DataError, JobError, PluginError

STOP = "stop"
"""File that stands there once all processes were asked to stop; it holds the number of the signal that asks them."""
END = "end"
"""Barrier at which a process is done, or after a stop has left; it is the last thing that it says."""
ERRORS: dict[str, type[AdjudgeError]] = {cls.__name__: cls for cls in (AdjudgeError, ConfigError, DataError, JobError, PluginError)}
"""Errors that the launching process raises as they are; any other one is told as a failed job."""

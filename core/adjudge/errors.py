"""What can go wrong, and who has to act: the user (exit code 2), a plugin's author (2), or nobody, because the job itself failed (1).

Every message says what is wrong, where, and what to do about it. A judge that fails is not an error: it is a `Verdict`.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class AdjudgeError(Exception):
    """The root of every error that adjudge raises on purpose; its text is the whole message for the user."""

    exit_code = 2


class ConfigError(AdjudgeError, ValueError):
    """The call, the run file or the run folder is wrong, and the user can put it right."""


class DataError(ConfigError):
    """An input file is missing, empty or has a line that cannot be used."""


class PluginError(AdjudgeError, RuntimeError):
    """A plugin cannot be loaded, or one of its components broke its contract; names the component and its distribution."""


class JobError(AdjudgeError, RuntimeError):
    """The job ran as asked and ended without a usable result, for example a stage in which no path was right."""

    exit_code = 1


@contextmanager
def boundary(component: object, verb: str) -> Iterator[None]:
    """The boundary to a component's code: any exception of its own becomes a `PluginError` that names it; ours pass through."""
    try:
        yield
    except AdjudgeError:
        raise
    except (Exception, SystemExit) as error:  # a plugin must not end the host, and not without a word
        if (stop := _stop_behind(error)) is not None:
            raise type(stop) from error
        remedy = "Remedy: read what it says; if the plugin is at fault, fix or block it. Finished records are kept."
        raise PluginError(f"{_named(component)} raised in {verb}(): {type(error).__name__}: {error}\n  {remedy}") from error


def number_or_none(component: object, verb: str, value: object, what: str = "") -> float | None:
    """What a component said, as a float: it has to be a finite number, numpy's too, or None where it does not apply."""
    if value is None:
        return None
    with suppress(TypeError, ValueError):
        if hasattr(type(value), "__float__") and math.isfinite(number := float(value)):  # type: ignore[arg-type]
            return number
    said = f"{_named(component)} returned {what + ' ' if what else ''}{value!r} from {verb}()"
    raise PluginError(f"{said}.\n  Remedy: return a finite number, or None if it cannot tell.")


def _named(component: object) -> str:
    kind = type(component)
    return f"{getattr(component, 'use', kind.__name__)!r} ({kind.__module__}.{kind.__qualname__})"


def _stop_behind(error: BaseException | None) -> KeyboardInterrupt | None:
    """Ctrl-C or SIGTERM, where one is behind an error: libraries that import lazily wrap it into one of their own."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error

"""A judge whose verdicts are asked for in fixed words, so that a judgement can end with them: ``stop: verdict``.

What comes after a verdict costs tokens and may contradict it. A verdict in other words than those that are asked for ends nothing; it is
read as ever. A text that names the words before it judges ends there too, and has no verdict then: leave `stop` out for such a model.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import field_validator

from adjudge import Judge


class WordedJudge(Judge):
    """The base of judges that ask for one of these `verdicts`."""

    verdicts: ClassVar[tuple[str, ...]] = ()
    """Every verdict as the prompt asks for it."""

    @field_validator("stop", mode="before", json_schema_input_type=Literal["verdict"] | tuple[str, ...])
    @classmethod
    def _at_verdict(cls, stop: Any) -> Any:
        """``verdict`` stands for the judge's own verdicts."""
        return cls.verdicts if stop == "verdict" else stop

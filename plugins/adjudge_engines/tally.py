"""How many tokens the engines of this process have sampled, counted as they come: what shows progress reads it while a batch runs."""

from __future__ import annotations


class Tally:
    """A count that only grows. Engines that hand out completions at their end need not add to it: those are counted by who gets them."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, tokens: int) -> None:
        """Count tokens of completions that are not finished yet."""
        self.total += tokens


sampled_tokens = Tally()

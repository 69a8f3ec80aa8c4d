"""The worlds by name: what pretraining, data sets and reward rules choose from. A further world is one line here."""

from __future__ import annotations

from .code_world import CodeWorld
from .instructions_world import InstructionsWorld
from .world import World

WORLDS: dict[str, World] = {world.name: world for world in (CodeWorld(), InstructionsWorld())}
LONGEST = 256
"""Tokens that an embedded judge reads and writes at most, prompt included."""

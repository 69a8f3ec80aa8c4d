"""Sixteen easy pairs, for a model that no pairs are named for: whoever reads both answers knows which one is right."""

from __future__ import annotations

from adjudge import Problem, coin, stable_id

_ROWS = (
    ("What is the capital of France?", "The capital of France is Paris.", "The capital of France is Madrid."),
    ("What is 17 + 25?", "17 + 25 = 42.", "17 + 25 = 32."),
    ("Write one sentence about the sea.", "The sea is calm and grey this morning.", "I have a bicycle. It is red. I ride it to work."),
    ("Name a fruit that is yellow.", "A banana.", "A strawberry."),
    ("Translate 'good morning' into Spanish.", "Buenos días.", "Bonne nuit."),
    ("How many legs does a spider have?", "A spider has eight legs.", "A spider has six legs."),
    ("Answer with yes or no only: is ice cold?", "Yes", "Ice is frozen water, so it depends on what you compare it with."),
    ("Which is larger, the Moon or the Earth?", "The Earth is larger.", "The Moon is larger."),
    ("List three colours.", "Red, green, blue.", "Red."),
    ("What does a thermometer measure?", "It measures temperature.", "It measures the speed of wind."),
    ("Write the word 'house' in capital letters.", "HOUSE", "house"),
    ("What is 9 times 6?", "54", "56"),
    ("Who wrote 'Romeo and Juliet'?", "William Shakespeare wrote it.", "Charles Dickens wrote it."),
    ("Give me a polite reply to: 'Thank you for your help.'", "You're welcome, I was glad to help.", "Do not ask me again."),
    ("At which temperature does water boil at sea level?", "At 100 degrees Celsius.", "At 50 degrees Celsius."),
    ("In one word, what is the opposite of 'hot'?", "Cold", "Warm water feels hot when your hands are very cold."),
)


def _pair(prompt: str, right: str, wrong: str) -> Problem:
    ident = stable_id("doctor", prompt)
    swapped = coin("doctor", ident)
    return Problem(ident, prompt, (wrong, right) if swapped else (right, wrong), int(swapped))


PAIRS = tuple(_pair(*row) for row in _ROWS)
"""Labelled pairs, the right answer first in about half of them."""

"""Writes and runs ``first_judge.ipynb``: ``python docs/notebooks/make.py``, with the extra ``notebook``; its cells stand here."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

FILE = Path(__file__).with_name("first_judge.ipynb")
text, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
CELLS = (
    text("""# A first judge

Judge a pair, rank a group and score reasoning, with the tiny judge that comes with adjudge. It works out sums and often errs, as it was
not trained yet; it needs no GPU and no download. With a model of yours, give its folder to `open_judge`."""),
    code("""from contextlib import ExitStack

import adjudge

stack = ExitStack()
judge = stack.enter_context(adjudge.open_judge("adjudge_arithmetic:model", seed=1, cache=False))"""),
    text("""## Judge a pair

A verdict shows both answers and the text behind it. The darker a token, the less probable it was to the judge; reasoning is underlined
in blue, the verdict in green. Point at a token to read its probability."""),
    code("""[verdict] = judge.judge([{"prompt": "37+48", "answers": ["85", "75"]}])
verdict"""),
    text("""Asked in both orders, a judge that prefers a place contradicts itself, and the verdict is a tie."""),
    code("""with adjudge.open_judge("adjudge_arithmetic:model", judge={"order": "both"}, seed=1, cache=False) as both:
    [twice] = both.judge([{"prompt": "512+389", "answers": ["901", "891"]}])
twice"""),
    text("""## Rank a group

Any aggregator ranks more than two answers: here everyone meets everyone, each match by the majority of three judgements."""),
    code("""judge.rank({"prompt": "37+48", "answers": ["75", "85", "86", "95"]}, "round-robin", votes=3)"""),
    text("""## Score reasoning with R⋆

R⋆ is the mean probability of the reasoning's tokens times that of the verdict's: how readily this judge would have written it. It does not
know what is right, and here the text with a slip scores higher. So it chooses among texts that reached the right verdict."""),
    code("""sound = "7+8+0=15\\n3+4+1=08\\nsum 85\\n1 85 ok\\n2 75 no\\n\\\\boxed{Assistant 1}"
slip = "7+8+0=15\\n3+4+1=07\\nsum 75\\n1 85 no\\n2 75 ok\\n\\\\boxed{Assistant 2}"
scores = judge.score({"prompt": "37+48", "answers": ["85", "75"]}, [sound, slip], "rstar")
for text, score in zip((sound, slip), scores, strict=True):
    print(f"{score.value:.4f}", dict(score.parts), text.splitlines()[1])"""),
    text("""## A reward for RL

The same ranking as numbers, one for each completion of a group; `None` masks one that nobody could judge. [Rewards](../rewards.md) shows
it in TRL, verl and others."""),
    code("""reward = judge.group_reward("round-robin", reward="standardised")
reward(["37+48"] * 4, ["75", "85", "86", "95"])"""),
    code("""stack.close()"""),
)


def main() -> None:
    made = nbformat.v4.new_notebook()
    made.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for number, cell in enumerate(CELLS):
        cell["id"] = f"cell-{number}"
        made.cells.append(cell)
    NotebookClient(made, timeout=300, kernel_name="python3").execute()
    for cell in made.cells:
        cell.metadata = {}  # times of execution, which change
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]  # warnings of this machine's libraries
    nbformat.write(made, FILE)


if __name__ == "__main__":
    main()

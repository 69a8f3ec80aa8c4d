"""What ``adjudge score`` reads: judgements written earlier or elsewhere, as rows of texts or as a run folder's records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from adjudge import (
    Completion,
    Judge,
    Order,
    Problem,
    ReasoningPath,
    RowError,
    Session,
    problem_in,
    read_rows,
    read_verdict,
    reader_of,
    stable_id,
    text_field,
    tokens_back,
)
from adjudge_data import Columns, IdenticalAnswersError, Spool, named, spooled

from .input_rows import name_of, own_ids

RECORDED = {"first": 0, "second": 1}
"""Labels as a run records them."""


@dataclass(frozen=True, slots=True)
class PathRow:
    """One judgement as a row has it; not yet in the tokens of the model that is to score it, and not yet read."""

    id: str
    problem: Problem
    order: Order
    completion: Completion

    @property
    def content(self) -> str:
        """Identifies what is scored, whatever it is called."""
        one = self.completion
        return stable_id(self.problem.prompt, self.problem.answers, self.order, one.text, one.token_ids, one.truncated, one.error)

    def path(self, judge: Judge, session: Session, index: int) -> ReasoningPath:
        """The path in the session's tokens, as the judge reads it; a judgement that was cut off or failed stays what it is.

        One that does not fit into the model's context behind its prompt has *failed*, as it cannot be scored.
        """
        made = self.completion
        if made.error is None and not made.truncated:
            made = replace(session.tokenize(made.text, made.token_ids), opened=made.opened)
            room: Any = getattr(session, "room", lambda prompt: None)
            if (left := room(judge.render(self.problem, self.order))) is not None and len(made.token_ids) > left:
                made = replace(
                    made, error=f"it has {len(made.token_ids)} tokens, and the model has room for {max(0, left)} behind its prompt"
                )
        return ReasoningPath(self.id, self.problem.id, self.order, index, made, read_verdict(judge, made))


def read_path_rows(
    file: FilePath, problems: Mapping[str, Problem], *, skip_bad_lines: bool, columns: Columns | None = None
) -> Spool[PathRow]:
    """All judgements of a file, each with an id of its own, held by no list; rows without a prompt are about one of these problems."""
    joined = tokens_back(file)
    rows = read_rows(file, skip_bad_lines=skip_bad_lines, parse=lambda row: list(_judgements(joined(named(row, columns or {})), problems)))
    found = spooled((one for row in rows for one in row), name_of(file))
    found.renamed = own_ids([one.id for one in found], name_of(file))
    return found


def _judgements(row: dict[str, Any], problems: Mapping[str, Problem]) -> Iterator[PathRow]:
    problem, order = _problem(row, problems), _order(row)
    completions = list(_completions(row))
    for number, completion in enumerate(completions, 1):
        if row.get("id") is None:
            ident = stable_id(problem.prompt, *problem.answers, order, completion.text)
        else:
            ident = str(row["id"]) if len(completions) == 1 else f"{row['id']}:{number}"
        yield PathRow(ident, problem, order, completion)


def _problem(row: dict[str, Any], problems: Mapping[str, Problem]) -> Problem:
    if "prompt" in row or "problem_id" not in row:
        try:
            label = RECORDED.get(row["label"], row["label"]) if isinstance(row.get("label"), str) else row.get("label")
            return problem_in({**row, "id": row.get("problem_id"), "label": label}, pairs=True)
        except IdenticalAnswersError as error:  # what was judged is not left out
            raise RowError(str(error)) from None
    if (found := problems.get(str(row["problem_id"]))) is None:
        raise RowError(f"has no 'prompt', and --data names no data set with its problem {row['problem_id']!r}")
    return found


def _order(row: dict[str, Any]) -> Order:
    order = row.get("order", "given")
    if order not in ("given", "swapped"):
        raise RowError(f"has the order {order!r}; a judge was shown a pair as 'given' or 'swapped'")
    return "given" if order == "given" else "swapped"


def _completions(row: dict[str, Any]) -> Iterator[Completion]:
    """One text, several, or one with its tokens as a run records it."""
    if len({"text", "texts", "completion"} & set(row)) != 1:
        raise RowError("needs one of 'text', 'texts' and 'completion', which is a judgement as a run records it")
    if "completion" in row:
        yield _recorded(row["completion"])
        return
    texts = row["texts"] if "texts" in row else [text_field(row, "text")]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise RowError("has a field 'texts' that is no list of texts")
    cut = row.get("truncated") is True or row.get("outcome") == "truncated"
    for text in texts:
        yield Completion(text, truncated=cut)


def _recorded(data: Any) -> Completion:
    if not isinstance(data, Mapping):
        raise RowError(f"has a field 'completion' that no run records: it is a {type(data).__name__}, not an object")
    try:
        return reader_of(Completion)(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise RowError(f"has a field 'completion' that no run records: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None

"""`prm` with heads that transformers has no class for, on the embedded judge's body, not trained: numbers are worked out beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

from adjudge import ConfigError, Problem, open_judge
from adjudge_scorers import Prm

SUM = Problem("p", "7+8", ("15", "16"), 0)
STEPS = ["7+8=15", "1 yes\n2 no", "\\boxed{Assistant 1}"]
MARK = "<extra_0>"
Saved = Callable[..., Any]


@pytest.fixture
def saved(embedded: FilePath, tmp_path: FilePath) -> Saved:
    """Saves the judge's body under tensors of a head, and gives the body and the tokenizer."""

    def save(tensors: dict[str, Any], architecture: str, apart: bool = False, lacks: str = "", **settings: Any) -> Any:
        tokenizer = AutoTokenizer.from_pretrained(embedded)
        tokenizer.add_special_tokens({"additional_special_tokens": [MARK]})
        body = AutoModel.from_pretrained(embedded).eval()
        body.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        tokenizer.save_pretrained(tmp_path)
        config = body.config.to_dict() | {"architectures": [architecture]} | settings
        (tmp_path / "config.json").write_text(json.dumps(config))
        own = {f"model.{name}": tensor.contiguous().clone() for name, tensor in body.state_dict().items() if name != lacks}
        save_file(own | ({} if apart else tensors), tmp_path / "model.safetensors", {"format": "pt"})
        if apart:
            save_file(tensors, tmp_path / "value_head.safetensors", {"format": "pt"})
        return body, tokenizer

    return save


def two_layers(width: int, labels: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(labels)
    shapes = {"score.0.weight": (width, width), "score.0.bias": (width,), "score.2.weight": (labels, width), "score.2.bias": (labels,)}
    return {name: torch.randn(shape, generator=draw) / 30 for name, shape in shapes.items()}


def by_two_layers(tensors: dict[str, torch.Tensor], hidden_D: torch.Tensor) -> torch.Tensor:
    inner_D = (tensors["score.0.weight"] @ hidden_D + tensors["score.0.bias"]).clamp(min=0)
    return tensors["score.2.weight"] @ inner_D + tensors["score.2.bias"]


def last_hidden(body: Any, row: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = body(torch.tensor([row])).last_hidden_state[0, -1]
    return found


@pytest.fixture
def width(embedded: FilePath) -> int:
    return int(json.loads((embedded / "config.json").read_text())["hidden_size"])


def scored(embedded: FilePath, scorer: Prm, texts: list[str]) -> tuple[list[float | None], Any]:
    """The texts' scores, and the prompt that they were judged with."""
    with open_judge(str(embedded), engine="hf") as judge:
        return [one.value for one in judge.score(SUM, texts, scorer)], judge.options.render(SUM, "given")


def test_steps_are_read_at_a_mark_as_qwens_prms_are(embedded: FilePath, tmp_path: FilePath, saved: Saved, width: int) -> None:
    """Its folder names code of its own, which is neither there nor asked for."""
    tensors = two_layers(width, 2)
    code = {"AutoConfig": "configuration_qwen2_rm.Qwen2RMConfig", "AutoModel": "modeling_qwen2_rm.Qwen2ForProcessRewardModel"}
    body, tokenizer = saved(tensors, "Qwen2ForProcessRewardModel", auto_map=code)
    scorer = Prm(model=str(tmp_path), ends="\n\n", mark=MARK, over="min")
    found, prompt = scored(embedded, scorer, ["\n\n".join(STEPS)])
    row, right = list(tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)), []
    for step in STEPS:
        row += [*tokenizer(step, add_special_tokens=False)["input_ids"], tokenizer.convert_tokens_to_ids(MARK)]
        right.append(float(by_two_layers(tensors, last_hidden(body, row)).softmax(-1)[1]))
    assert len({round(one, 4) for one in right}) == 3, "else they could not be told apart"
    assert found == pytest.approx([min(right)], abs=1e-5)


def test_a_mark_has_to_be_a_token(embedded: FilePath, tmp_path: FilePath, saved: Saved, width: int) -> None:
    saved(two_layers(width, 2), "Qwen2ForProcessRewardModel")
    with pytest.raises(ConfigError, match=r"'prm'\.mark: '<step>' is no token of its own .*\n  Remedy: name the token"):
        scored(embedded, Prm(model=str(tmp_path), mark="<step>"), STEPS)


@pytest.mark.parametrize("apart", [False, True], ids=["in the model's file", "in a file of its own"])
def test_a_value_head_is_read_at_the_end_or_at_every_step(
    embedded: FilePath, tmp_path: FilePath, saved: Saved, width: int, apart: bool
) -> None:
    draw = torch.Generator().manual_seed(7)
    tensors = {"v_head.summary.weight": torch.randn((1, width), generator=draw), "v_head.summary.bias": torch.randn((1,), generator=draw)}
    body, tokenizer = saved(tensors, "Qwen2ForCausalLM", apart)

    def said(row: list[int]) -> float:
        return float(tensors["v_head.summary.weight"] @ last_hidden(body, row) + tensors["v_head.summary.bias"])

    texts = ["\n".join(STEPS), STEPS[2]]  # of different lengths, in one batch
    whole, prompt = scored(embedded, Prm(model=str(tmp_path)), texts)
    chats = [[*prompt, {"role": "assistant", "content": text}] for text in texts]
    assert whole == pytest.approx([said(tokenizer.apply_chat_template(chat, return_dict=False)) for chat in chats], abs=1e-4)
    by_step, _ = scored(embedded, Prm(model=str(tmp_path), steps=True, over="mean"), texts[1:])
    row = [*tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)]
    row += [token for text in (STEPS[2], "\n") for token in tokenizer(text, add_special_tokens=False)["input_ids"]]
    assert by_step == pytest.approx([1 / (1 + 2.718281828 ** -said(row))], abs=1e-5)


def test_a_reward_model_of_two_layers_scores_whole_chats(embedded: FilePath, tmp_path: FilePath, saved: Saved, width: int) -> None:
    tensors = two_layers(width, 1)
    body, tokenizer = saved(tensors, "Qwen2ForRewardModel")
    found, prompt = scored(embedded, Prm(model=str(tmp_path)), STEPS[2:])
    row = tokenizer.apply_chat_template([*prompt, {"role": "assistant", "content": STEPS[2]}], return_dict=False)
    assert found == pytest.approx([float(by_two_layers(tensors, last_hidden(body, row)))], abs=1e-4)
    with pytest.raises(ConfigError, match=r"scores whole chats, not steps.\n  Remedy: drop ends and mark"):
        scored(embedded, Prm(model=str(tmp_path), ends="\n\n", mark=MARK), STEPS)


def test_a_head_of_other_numbers_and_weights_that_lack_are_told(embedded: FilePath, tmp_path: FilePath, saved: Saved, width: int) -> None:
    saved(two_layers(width, 3), "Qwen2ForProcessRewardModel")
    with pytest.raises(ConfigError, match=r"the head score\.2 in .* says 3 numbers of a token"):
        scored(embedded, Prm(model=str(tmp_path)), STEPS)
    saved(two_layers(width, 2), "Qwen2ForProcessRewardModel", lacks="norm.weight")
    with pytest.raises(ConfigError, match=r"1 missing, and would be random: norm\.weight"):
        scored(embedded, Prm(model=str(tmp_path)), STEPS)


def test_code_that_lies_in_the_folder_is_not_run(embedded: FilePath, tmp_path: FilePath, saved: Saved, width: int) -> None:
    code = {"AutoConfig": "own.Config", "AutoModel": "own.Model"}
    saved(two_layers(width, 2), "OwnModel", model_type="one-of-its-own", auto_map=code)
    (tmp_path / "own.py").write_text("raise SystemExit('run')")
    with pytest.raises(ConfigError, match=r"without Python code of its own, which is not run(.|\n)*name a model that transformers has"):
        scored(embedded, Prm(model=str(tmp_path)), STEPS)


def test_files_that_are_cut_short_or_pickled_are_told(embedded: FilePath, tmp_path: FilePath, saved: Saved, width: int) -> None:
    saved(two_layers(width, 2), "Qwen2ForProcessRewardModel", apart=True)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(ConfigError, match="is cut short or no safetensors file"):
        scored(embedded, Prm(model=str(tmp_path)), STEPS)
    weights.rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"has no weights of its model as safetensors(.|\n)*Remedy: convert them"):
        scored(embedded, Prm(model=str(tmp_path)), STEPS)
    (tmp_path / "value_head.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"has no \*\.safetensors weights"):
        scored(embedded, Prm(model=str(tmp_path)), STEPS)


def test_a_head_of_another_width_is_told(embedded: FilePath, tmp_path: FilePath, saved: Saved, width: int) -> None:
    saved({"v_head.summary.weight": torch.ones(1, width + 1)}, "Qwen2ForCausalLM")
    with pytest.raises(ConfigError, match=rf"v_head\.summary in .* is {width + 1} wide, and the model below it {width}\."):
        scored(embedded, Prm(model=str(tmp_path)), STEPS)


def test_step_options_that_a_head_has_no_use_for_are_told(embedded: FilePath, tmp_path: FilePath, saved: Saved, width: int) -> None:
    saved({"v_head.summary.weight": torch.ones(1, width)}, "Qwen2ForCausalLM")
    with pytest.raises(ConfigError, match="Remedy: drop over, or write steps: true"):
        scored(embedded, Prm(model=str(tmp_path), over="mean"), STEPS)
    saved(two_layers(width, 2), "Qwen2ForProcessRewardModel")
    with pytest.raises(ConfigError, match=r"'prm'\.steps: .* scores steps by itself"):
        scored(embedded, Prm(model=str(tmp_path), steps=True), STEPS)


def test_a_mark_in_a_text_ends_no_step(embedded: FilePath, tmp_path: FilePath, saved: Saved, width: int) -> None:
    """It is read with a space in it, as chat markup in what is judged."""
    saved(two_layers(width, 2), "Qwen2ForProcessRewardModel")
    one, spaced, without = (f"7+8{mark}=15\n{STEPS[2]}" for mark in (MARK, "< extra_0>", ""))
    (one_value, spaced_value, plain), _ = scored(embedded, Prm(model=str(tmp_path), mark=MARK), [one, spaced, without])
    assert one_value == spaced_value != plain


@pytest.mark.parametrize("beside", ["lm_head.weight", "embed_out.weight"])
def test_weights_that_nothing_here_reads_may_lie_beside(
    embedded: FilePath, tmp_path: FilePath, saved: Saved, width: int, beside: str
) -> None:
    saved({beside: torch.ones(3, width), "score.weight": torch.ones(1, width)}, "Qwen2ForSequenceClassification", id2label={"0": "score"})
    assert scored(embedded, Prm(model=str(tmp_path)), STEPS[2:])[0] != [None]
    saved({beside: torch.ones(3, width), "v_head.summary.weight": torch.ones(1, width)}, "Qwen2ForCausalLM")
    assert scored(embedded, Prm(model=str(tmp_path)), STEPS[2:])[0] != [None]


@pytest.mark.parametrize("kind", ["AutoModelForTokenClassification", "AutoModelForSequenceClassification"])
def test_a_head_whose_weights_are_not_there_is_told(embedded: FilePath, tmp_path: FilePath, saved: Saved, kind: str) -> None:
    """transformers would make up random ones, and score by these."""
    labels = 2 if "Token" in kind else 1
    saved({}, f"Qwen2For{kind.removeprefix('AutoModelFor')}", num_labels=labels, id2label=None, label2id=None)
    with pytest.raises(ConfigError, match=r"missing, and would be random: (score\.bias, )?score\.weight"):
        scored(embedded, Prm(model=str(tmp_path)), STEPS)

"""Memory and time follow from a model's size: every part exact where it can be, a range where not, and never less for more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge_plan import Sampling, Training
from adjudge_plan.memory import GIB, Phase, forward_flops, sampling, trained_parameters, training, training_flops
from adjudge_plan.model_size import ModelSize, model_size_of, published

SEVEN = model_size_of(published()["DeepSeek-R1-Distill-Qwen-7B"], "7B")
TINY = ModelSize(layers=2, width=8, inner=16, queries=8, keys=4, vocabulary=32, parameters=1000)
PLAIN = Training(step=16, sequences=(16, 160))


def phase(model: ModelSize, load: Training, what: str, sequence: int = 100, devices: int = 1) -> Phase:
    return next(one for one in training("1-grpo", model, load, sequence, devices) if one.what.startswith(what))


def test_full_training_holds_sixteen_bytes_of_every_weight() -> None:
    parts = phase(TINY, PLAIN, "step").parts
    assert [parts[name] for name in ("weights", "gradients", "optimiser")] == [(4000.0, 4000.0), (4000.0, 4000.0), (8000.0, 8000.0)]
    assert parts["copies"] == (2000.0, 2000.0), "autocast keeps them in half precision too"


def test_weights_in_half_precision_train_in_half_precision() -> None:
    parts = phase(TINY, replace(PLAIN, weight_bytes=2.0), "step").parts
    assert sum(parts[name][0] for name in ("weights", "gradients", "optimiser", "copies")) == 8000


def test_what_is_spread_is_divided_and_what_is_not_is_not() -> None:
    for spread, weights, states in (("nothing", 4000, 8000), ("states", 4000, 1000), ("everything", 500, 1000)):
        load = replace(PLAIN, sharded=spread, reference=True)
        parts = phase(TINY, load, "step", devices=8).parts
        assert (parts["weights"][1], parts["optimiser"][0], parts["reference"][0]) == (weights, states, weights)


def test_where_states_are_spread_a_copy_in_half_precision_may_be_all_that_is_whole() -> None:
    parts = phase(TINY, replace(PLAIN, sharded="states"), "step", devices=8).parts
    assert (parts["weights"], parts["copies"]) == ((2000 + 500.0, 4000.0), (0.0, 2000.0))
    assert phase(TINY, replace(PLAIN, sharded="states"), "step").parts["weights"] == (4000.0, 4000.0), "nobody to share with"


def test_an_adapter_alone_has_gradients_and_moments() -> None:
    load = replace(PLAIN, rank=2, targets=("q_proj", "down_proj"))
    assert trained_parameters(TINY, load) == 2 * 2 * ((8 + 8) + (16 + 8))
    assert phase(TINY, load, "step").parts["optimiser"] == (160 * 8.0, 160 * 8.0)
    every = trained_parameters(TINY, replace(PLAIN, rank=1))
    assert every == 2 * sum(one + other for one, other in TINY.matrices.values())


def test_four_bits_are_of_the_matrices_of_layers_alone() -> None:
    matrices = TINY.layers * TINY.layer_parameters
    model = replace(TINY, parameters=matrices + 600)
    least, most = phase(model, replace(PLAIN, rank=1, weight_bytes=0.5), "step").parts["weights"]
    adapter = 4 * trained_parameters(model, replace(PLAIN, rank=1))
    assert (least - adapter, most - adapter) == (matrices * 0.5 + 1200, matrices * 0.5 + 2400)


def test_rollouts_of_the_model_itself_are_cached_whole_and_their_prompts_read_at_once() -> None:
    [rollouts, _] = training("1-grpo", TINY, replace(PLAIN, rollouts="model"), 100, 4, prompt=30)
    assert rollouts.parts["keys and values"] == (4 * 100 * 2 * 2 * 4 * 2.0, 4 * 100 * 2 * 2 * 4 * 4.0)
    assert rollouts.parts["activations"] == (0.0, 4 * 30 * 2 * (3 * 16 + 4 * 8))
    assert "gradients" not in rollouts.parts


def test_several_devices_that_spread_nothing_sum_gradients_in_buckets() -> None:
    assert phase(TINY, PLAIN, "step", devices=2).parts["buckets"] == (0.0, 4000.0)
    assert "buckets" not in phase(TINY, PLAIN, "step").parts
    assert "buckets" not in phase(TINY, replace(PLAIN, sharded="states"), "step", devices=2).parts


def test_moments_in_eight_bits_and_those_of_embeddings_perhaps_not() -> None:
    optimiser = phase(TINY, replace(PLAIN, moment_bytes=1.0), "step").parts["optimiser"]
    assert optimiser == (2000.0, 2000.0 + 2 * 3 * 2 * 32 * 8)
    adapter = replace(PLAIN, moment_bytes=1.0, rank=1)
    assert phase(TINY, adapter, "step").parts["optimiser"] == (2.0 * trained_parameters(TINY, adapter),) * 2


def test_what_is_in_the_hosts_memory_is_not_on_the_device_but_for_the_layers_at_work() -> None:
    load = replace(PLAIN, sharded="everything", offload=True, reference=True)
    parts = phase(TINY, load, "step", devices=8).parts
    assert [parts[name] for name in ("weights", "gradients", "optimiser", "reference")] == [(0.0, 0.0)] * 4
    assert parts["copies"] == phase(TINY, replace(load, offload=False), "step", devices=8).parts["copies"]


def test_groups_of_devices_hold_all_that_is_spread() -> None:
    load = replace(PLAIN, sharded="everything", replicas=2)
    assert phase(TINY, load, "step", devices=8).parts["weights"] == (1000.0, 1000.0)


def test_gradients_of_micro_batches_are_summed_whole_unless_they_are_spread_at_once() -> None:
    load = replace(PLAIN, sharded="everything", rows=1, defers=True)
    whole = phase(TINY, load, "step", devices=8)
    assert whole.parts["gradients"] == (500 + 2000.0, 500 + 4000.0)
    assert "sync_each_batch" in whole.remedies[0]
    assert phase(TINY, replace(load, defers=False), "step", devices=8).parts["gradients"] == (500.0, 500.0)
    assert phase(TINY, replace(load, rows=2), "step", devices=8).parts["gradients"] == (500.0, 500.0), "one micro-batch"
    assert phase(TINY, replace(load, sharded="nothing"), "step", devices=8).parts["gradients"] == (4000.0, 4000.0)


def test_what_is_not_counted_is_neither_refused_nor_promised() -> None:
    for one in training("1-sft", TINY, replace(PLAIN, uncounted=("trl.optim lion_8bit",)), 100, 1):
        assert (one.fits(1), one.fits(1000 * GIB), one.uncounted) == (None, None, ("trl.optim lion_8bit",))


def test_an_engine_beside_the_training_has_its_share_and_the_step_the_rest() -> None:
    found = training("1-grpo", TINY, replace(PLAIN, rollouts=Sampling(0, memory_share=0.3)), 100, 1)
    assert [(one.what, one.share) for one in found] == [("rollouts (vLLM)", 0.3), ("beside vLLM", 0.7), ("step", 0.7)]
    assert set(found[1].parts) == {"weights", "optimiser"}
    assert found[0].parts["keys and values"][0] == 100 * TINY.kv_numbers * 2
    asleep = training("1-grpo", TINY, replace(PLAIN, rollouts=Sampling(0, memory_share=0.3, sleeps=True)), 100, 1)
    assert [one.share for one in asleep] == [0.3, 0.7, 1.0]
    assert [one.what for one in training("1-grpo", TINY, replace(PLAIN, rollouts="elsewhere"), 100, 1)] == ["step"]


def test_an_engine_over_several_devices_holds_a_part_on_each() -> None:
    one, four = (sampling("all", SEVEN, Sampling(10_000, tensor_parallel=spread)).parts for spread in (1, 4))
    assert one["weights"][0] == SEVEN.parameters * 2
    assert one["keys and values"][0] == 10_000 * 2 * 28 * 512 * 2
    assert all(four[name][0] == one[name][0] / 4 for name in ("weights", "keys and values"))


def test_a_trained_model_may_be_sampled_in_the_precision_that_it_is_stored_in() -> None:
    assert sampling("all", TINY, Sampling(10), stored=4.0).parts["weights"] == (2000.0, 4000.0)
    assert sampling("all", TINY, Sampling(10), stored=4.0).parts["keys and values"] == (10 * 16 * 2.0, 10 * 16 * 4.0)
    assert sampling("all", TINY, Sampling(10, weight_bytes=2.0), stored=4.0).parts["weights"] == (2000.0, 2000.0)
    assert sampling("all", replace(TINY, weight_bytes=4.0), Sampling(10)).parts["weights"] == (2000.0, 4000.0)


def test_an_engine_without_a_limit_has_room_for_the_models_own() -> None:
    long = replace(TINY, limit=5000)
    assert sampling("all", long, Sampling(10, own_limit=True)).parts["keys and values"][0] == 5000 * 16 * 2
    assert sampling("all", long, Sampling(10)).parts["keys and values"][0] == 10 * 16 * 2
    assert sampling("all", TINY, Sampling(10, own_limit=True)).parts["keys and values"][0] == 10 * 16 * 2


def test_the_verdict_is_perhaps_between_least_and_most() -> None:
    one = Phase("s", "w", {"weights": (10.0 * GIB, 20.0 * GIB)})
    assert one.total == (10.5 * GIB, 24.0 * GIB)
    assert [one.fits(memory * GIB) for memory in (10, 12, 24)] == [False, None, True]
    assert replace(one, share=0.5).fits(20 * GIB) is False


LOADS = st.builds(
    Training,
    step=st.integers(1, 64),
    sequences=st.just((1, 1)),
    rows=st.none() | st.integers(1, 64),
    weight_bytes=st.sampled_from([0.5, 2.0, 4.0]),
    rank=st.sampled_from([0, 8]),
    reference=st.booleans(),
    checkpointing=st.booleans(),
    moment_bytes=st.sampled_from([None, 1.0]),
    sharded=st.sampled_from(["nothing", "states", "everything"]),
    replicas=st.sampled_from([1, 2]),
    defers=st.booleans(),
    offload=st.booleans(),
    rollouts=st.sampled_from(["none", "model", "elsewhere"]),
)


@given(LOADS, st.integers(1, 32), st.integers(1, 20_000))
def test_more_tokens_never_take_less_and_the_least_is_never_more_than_the_most(load: Training, devices: int, sequence: int) -> None:
    for shorter, longer in zip(
        training("s", SEVEN, load, sequence, devices), training("s", SEVEN, load, sequence + 1, devices), strict=True
    ):
        assert all(least <= most for least, most in shorter.parts.values())
        assert shorter.total[0] <= longer.total[0]
        assert shorter.total[1] <= longer.total[1]


@given(LOADS, st.integers(1, 20_000))
def test_checkpointing_and_more_devices_never_take_more(load: Training, sequence: int) -> None:
    def least(load: Training, devices: int) -> float:
        return phase(SEVEN, load, "step", sequence, devices).total[0]

    assert least(replace(load, checkpointing=True), 4) <= least(replace(load, checkpointing=False), 4)
    assert least(load, 8) <= least(load, 4)


def test_a_pass_takes_two_operations_for_every_weight_and_token_and_attention_besides() -> None:
    short = forward_flops(SEVEN, 1)
    assert short == pytest.approx(2 * (SEVEN.parameters - SEVEN.vocabulary * SEVEN.width), rel=1e-3)
    assert forward_flops(SEVEN, 1000) > 1000 * short


@pytest.mark.parametrize(
    ("options", "passes"),
    [({}, 3), ({"checkpointing": True}, 4), ({"checkpointing": True, "passes": 2}, 6), ({"rank": 8, "passes": 1}, 3)],
)
def test_a_step_is_so_many_passes(options: dict[str, Any], passes: int) -> None:
    assert training_flops(SEVEN, replace(PLAIN, **options), 10, 7) == 7 * passes * forward_flops(SEVEN, 10)

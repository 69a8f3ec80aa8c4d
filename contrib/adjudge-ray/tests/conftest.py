"""A Ray cluster of two nodes on this machine, and texts to replay on it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
STORE = 100 * 2**20


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head that does no work and two nodes of one core each, which belong to nobody else."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": STORE})
    for _ in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=STORE)
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Three texts for each of 200 prompts; the seed chooses among them."""
    file = tmp_path / "recorded.jsonl"
    rows = [
        {"prompt": f"prompt {number}", "texts": [f"{number} text {text} \\boxed{{Assistant 1}}" for text in range(3)]}
        for number in range(200)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file

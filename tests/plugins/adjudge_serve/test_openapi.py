"""The OpenAPI page against the server: whatever it allows is answered as it says, and what it does not allow is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from .conftest import Server

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

TYPED = ["/v1/judge", "/v1/rank", "/v1/reward", "/seed_session", "/compare", "/llamafactory", "/aggregate_metrics"]
"""Routes that wait for nobody else."""


@pytest.fixture(scope="module")
def described(server: Server) -> Any:
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
@pytest.mark.parametrize("path", TYPED)
def test_a_route_answers_as_its_page_says(described: Any, path: str, mode: str) -> None:
    if (path, mode) == ("/seed_session", "NEGATIVE"):
        pytest.skip("it takes anything")
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    cases = described[path]["POST"].as_strategy(generation_mode=getattr(schemathesis.GenerationMode, mode))

    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(case=cases)
    def check(case: Any) -> None:
        case.call_and_validate(timeout=30, excluded_checks=[positive_data_acceptance])  # what a schema cannot say is refused, too

    check()


def test_every_route_has_a_page_with_its_errors(server: Server) -> None:
    page = server.ask("/openapi.json").json
    posts = {path: verbs["post"] for path, verbs in page["paths"].items() if "post" in verbs}
    assert set(posts) == {*TYPED, "/openrlhf", "/slime", "/verify"}
    for path, post in posts.items():
        assert {"200", "401", "413", "422", "429", "503"} <= set(post["responses"]), path
        assert post["responses"]["422"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Failed"}

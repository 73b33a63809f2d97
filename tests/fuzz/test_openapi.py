"""Goal: the interface answers as its committed description says, whatever it is sent.

Method: Schemathesis makes requests from the description (its examples, the edges of every
schema, random ones, wrong ones) and holds each answer to it: no 5xx, no status, media type, header
or body that isn't described; nothing wrong is taken and nothing right is refused for its form. The
application runs in process on a real database. Seeds are fixed, so a failure comes again.
"""

import json
from collections.abc import Iterator

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case

from backend.cli.openapi import openapi_text
from tests.fuzz.knowing import City, Signing
from tests.support.in_process import InProcess
from tests.support.oauth_client import ISSUER

# One worker, so that what is known comes in the same order each time.
pytestmark = pytest.mark.xdist_group("openapi")

EXAMPLES = 60


def described(*, with_tokens: bool) -> schemathesis.BaseSchema:
    """Return the committed description, with what Schemathesis should make of it."""
    config = schemathesis.Config.from_dict(
        {
            "seed": 20261124,
            "generation": {
                "deterministic": True,
                "database": "none",
                "mode": "all",
                "max-examples": EXAMPLES,
                "with-security-parameters": not with_tokens,
            },
            # Not OPTIONS: litestar 2 names only the first method of a path there (litestar#4169).
            "phases": {"coverage": {"unexpected-methods": ["get", "put", "post", "delete"]}},
            "checks": {
                # What is well formed may still be refused: by a rule (409, 422), or for want of
                # the proof of possession that no schema can describe (400).
                "positive_data_acceptance": {
                    "expected-statuses": ["2xx", "3xx", 400, 401, 403, 404, 409, 422, 429]
                },
                "ignored_auth": {"enabled": not with_tokens},
            },
        }
    )
    schema = schemathesis.openapi.from_dict(json.loads(openapi_text()), config=config)
    schema.config.update(base_url=ISSUER)
    return schema


@schemathesis.serializer("application/jsonl", "application/x-ndjson")
def _as_it_is(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """Send what stands for a file of lines as it is."""
    return value if isinstance(value, bytes) else str(value).encode()


anonymous, signed = described(with_tokens=False), described(with_tokens=True)


def session_over(adapter: InProcess) -> requests.Session:
    """Return a session that reaches the application through an adapter."""
    session = requests.Session()
    session.trust_env = False
    session.mount(ISSUER, adapter)
    return session


@pytest.fixture
def statuses() -> Iterator[set[int]]:
    """What an operation answered; at least once it did what it is for, else little was seen."""
    statuses: set[int] = set()
    yield statuses
    assert any(status < 400 for status in statuses), statuses


@anonymous.parametrize()
@settings(deadline=None)
def test_whoever_has_no_token_is_answered_as_described(case: Case, city: City) -> None:
    case.call_and_validate(session=session_over(InProcess(city.thread, city.world.http)))


@signed.parametrize()
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whoever_has_a_token_is_answered_as_described(
    case: Case, city: City, statuses: set[int]
) -> None:
    is_right = case.meta is None or case.meta.generation.mode.is_positive
    adapter = Signing(city, knows_better=is_right)
    answer = case.call_and_validate(session=session_over(adapter))
    statuses.add(answer.status_code)

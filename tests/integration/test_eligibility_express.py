"""Goal: a check answered below the framework can't be told from one answered by its twin.

Method: each request is sent twice, once in the form the express way takes and once in one that it
leaves to the framework (a parameter in the content type); the answers are compared to the byte,
ids and times apart. Then the express way alone, around an application that only notes what it gets.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.types import Receive, Scope, Send

from backend.kit.clock import FixedClock
from backend.kit.http import BODY_BYTES_MAX
from backend.programme.api.express import ExpressChecks
from tests.support.programme_world import City, Person, open_city

PATH = "/v1/eligibility-checks"
EXPRESS, TWIN = "application/json", "application/json; charset=utf-8"
BODY = b'{"programme":"library"}'


@pytest.fixture
async def city(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[City]:
    async with open_city(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as city:
        yield city


def headers(city: City, token: str, content_type: str = EXPRESS) -> dict[str, str]:
    return {
        "authorization": f"DPoP {token}",
        "dpop": city.library.proof("POST", PATH, access_token=token),
        "content-type": content_type,
    }


async def both(city: City, token: str, body: bytes = BODY, **changes: str) -> list[httpx.Response]:
    return [
        await city.http.post(
            PATH, content=body, headers={**headers(city, token, content_type), **changes}
        )
        for content_type in (EXPRESS, TWIN)
    ]


def said(answer: httpx.Response) -> tuple[int, dict[str, str], str]:
    text = re.sub(r'"(request_id|decision_id)":"[^"]+"', "", answer.text)
    shown = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, shown, text


def assert_alike(answers: list[httpx.Response], status: int) -> None:
    express, twin = answers
    assert said(express) == said(twin)
    assert express.status_code == status, express.text
    assert len(express.headers["x-request-id"]) == 36


async def test_yes_and_no_are_alike(city: City) -> None:
    assert_alike(await both(city, await city.token(await city.person(enrols=["library"]))), 200)
    no = await both(city, await city.token(await city.person()))
    assert_alike(no, 200)
    assert no[0].content == b'{"eligible":false}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"programme":1}',
        b'{"programme":"library","threshold":600}',
        b'{"programme":"\xff"}',
        b"[" * 5_000,
        b'{"programme":"Library"}',
        BODY + b" " * BODY_BYTES_MAX,
    ],
)
async def test_what_is_wrong_with_a_body_is_alike(city: City, body: bytes) -> None:
    token = await city.token(await city.person(enrols=["library"]))
    answers = await both(city, token, body)
    assert_alike(answers, 413 if len(body) > BODY_BYTES_MAX else 400)


async def test_refusals_are_alike(city: City) -> None:
    person = await city.person(enrols=["library"])
    token = await city.token(person)
    assert_alike(await both(city, "cp_at_unknown"), 401)
    assert_alike(await both(city, token, authorization=f"Bearer {token}"), 401)
    assert_alike(await both(city, token, dpop="no proof"), 401)
    assert_alike(await both(city, token, b'{"programme":"rental"}'), 403)
    as_citizen = {
        "authorization": f"DPoP {person.token}",
        "dpop": person.app.proof("POST", PATH, access_token=person.token),
    }
    assert_alike([(await both(city, token, **as_citizen))[0], await citizens(city, person)], 403)
    await per_day(city, 0)
    assert_alike(await both(city, token), 429)
    await city.house.desk.close()
    assert_alike(await both(city, token), 503)


async def citizens(city: City, person: Person) -> httpx.Response:
    """The citizen's own token at the partner's door, by the twin."""
    sent = {
        "authorization": f"DPoP {person.token}",
        "dpop": person.app.proof("POST", PATH, access_token=person.token),
        "content-type": TWIN,
    }
    return await city.http.post(PATH, content=BODY, headers=sent)


async def per_day(city: City, looks: int) -> None:
    async with city.house.database.write() as tx:
        await tx.execute(
            "UPDATE consent SET detail = jsonb_set(detail, '{per_day}', to_jsonb($1::bigint))",
            looks,
        )


async def test_a_proof_used_on_one_way_is_used_on_the_other(city: City) -> None:
    token = await city.token(await city.person(enrols=["library"]))
    for first, second in ((EXPRESS, TWIN), (TWIN, EXPRESS)):
        sent = headers(city, token, first)
        assert (await city.http.post(PATH, content=BODY, headers=sent)).status_code == 200
        sent["content-type"] = second
        assert (await city.http.post(PATH, content=BODY, headers=sent)).status_code == 401


class Onward:
    """An application that notes what reaches it, and reads the body."""

    def __init__(self) -> None:
        self.reached: list[tuple[bytes, Exception | None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message: Any = await receive()
        state: dict[str, Any] = scope["state"]
        self.reached.append((message["body"], state.get("fault")))
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def test_success_is_answered_here_and_everything_else_goes_on_whole(city: City) -> None:
    onward = Onward()
    express = ExpressChecks(
        onward,
        eligibility=city.house.desk,
    )

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await express({**scope, "state": {}}, receive, send)

    token = await city.token(await city.person(enrols=["library"]))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=str(city.http.base_url)
    ) as http:
        answer = await http.post(PATH, content=BODY, headers=headers(city, token))
        assert (answer.status_code, json.loads(answer.content)["eligible"]) == (200, True)
        assert onward.reached == []
        refused = headers(city, "cp_at_unknown")
        assert (await http.post(PATH, content=BODY, headers=refused)).status_code == 299
        assert onward.reached.pop() == (BODY, None), "the guard says why"
        await per_day(city, 0)
        spent = headers(city, token)
        assert (await http.post(PATH, content=BODY, headers=spent)).status_code == 299
        body, fault = onward.reached.pop()
        assert (body, str(fault)) == (BODY, "too_many_requests")
        for method, path, content_type, body in (
            ("PUT", PATH, EXPRESS, BODY),
            ("POST", PATH + "/", EXPRESS, BODY),
            ("POST", PATH, "text/plain", BODY),
            ("POST", PATH, EXPRESS, b"{}"),
        ):
            sent = headers(city, token, content_type)
            answer = await http.request(method, path, content=body, headers=sent)
            assert answer.status_code == 299
            assert onward.reached.pop() == (body, None), "untouched, its proof unused"


async def test_one_proof_is_one_answer_however_often_it_comes_in_a_batch(city: City) -> None:
    """Also when the batch is tried again in halves: its own marks are not somebody else's."""
    token = await city.token(await city.person(enrols=["library"]))
    other = await city.token(await city.person(enrols=["library"]))
    desk = city.house.desk
    flush, poison = desk._batcher._flush, [True]

    async def fail_once(asked: Any) -> Any:
        if len(asked) > 1 and poison:
            async with city.house.database.write() as tx:
                poison.pop()
                callers = [each.arrival for each in asked]
                now = city.house.clock.now()
                known = await desk.admission.recognise(callers, now=now)
                await desk.admission.mark_second(tx, await desk.admission.mark_first(known))
                raise ValueError("poison")
        return await flush(asked)

    desk._batcher._flush = fail_once
    twice, once = headers(city, token), headers(city, other)
    answers = await asyncio.gather(
        *[city.http.post(PATH, content=BODY, headers=sent) for sent in (twice, once, twice, once)]
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 401, 401]
    assert not poison, "a batch was tried again"
    assert await city.count("access_entry") == 2

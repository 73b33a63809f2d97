"""Citizens who ask for a person to look, and the operators who do."""

from typing import Any

import httpx

from tests.support.operator import OperatorSoftware
from tests.support.world import App, World

CASES = "/v1/me/cases"
QUEUE = "/v1/operator/cases"
WORDS = "我一直按时还书，请人工看一下。"
ASK = {"kind": "not_yet", "programme": "library", "text": WORDS}
ANSWER = {
    "outcome": "upheld",
    "answer_zh": "还书记录少于所需次数。",
    "answer_en": "There are fewer returns on record than are needed.",
}


async def asking(world: World, serial: int = 1) -> App:
    """Return somebody who takes part and isn't eligible for borrowing yet."""
    return await world.app_of(serial, joins=True)


async def opened(app: App, **changes: Any) -> str:
    """Open a case and return its id."""
    answer = await app.call("POST", CASES, {**ASK, **changes})
    assert answer.status_code == 201, answer.text
    case_id: str = answer.json()["case_id"]
    return case_id


async def decided(
    operator: OperatorSoftware, case_id: str, reason: str = "核对了还书记录", **changes: Any
) -> httpx.Response:
    """Decide a case as an operator."""
    return await operator.call(
        "POST", f"{QUEUE}/{case_id}/decide", {**ANSWER, **changes}, reason=reason
    )


async def own_cases(app: App) -> list[dict[str, Any]]:
    """Return a citizen's cases, newest first."""
    answer = await app.call("GET", CASES)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items

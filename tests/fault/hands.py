"""Hands at a resident's affairs: the citizen's app and the partners' software, which never give up.

Whatever has no answer is sent again with the same Idempotency-Key; now and then what had one is
sent again too, and must be answered with the same bytes. An answer that can't be is no reason to
stop: it is noted, and held against the service at the end.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx

from backend.kit.ids import new_token
from backend.kit.problem import Unavailable
from tests.fault.told import RUNNING, Owed, Told
from tests.fault.town import CODES, Resident, Town
from tests.support.order_world import ORDERS

RETRY_SECONDS = 0.1
PATIENCE_SECONDS = 120
REPEATED_OF = 10
REFILL_FEN = 20_000
# Two hands are at each resident's affairs: the other may have been faster.
RACES = frozenset(
    {
        *("already_enrolled", "benefit_unavailable", "seats_sold_out"),
        *("order_amount_not_lower", "order_settled_too_much", "order_state_conflict"),
        *("obligation_replied", "obligation_too_large", "performance_reported"),
    }
)
Call = Callable[[dict[str, str]], Awaitable[httpx.Response]]


class Hand:
    """One hand at one resident's affairs; `told` is shared by all."""

    def __init__(self, town: Town, resident: Resident, told: Told, *, seed: int) -> None:
        self._town, self._resident, self._told = town, resident, told
        self._subject_id = resident.person.subject_id
        self._chance = random.Random(seed)
        often = [self._open] * 6 + [self._confirm] * 4 + [self._complete] * 5 + [self._check] * 6
        seldom = [self._lower, self._report, self._enrol] * 3 + [self._reply, self._cancel] * 2
        self._acts = [*often, *seldom, self._pay, self._decline, self._leave, self._refill]

    async def play(self, operations: int) -> None:
        """Do one thing after the other until all together have done so many."""
        await self._enrol()
        while self._told.operations < operations:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._chance.choice(self._acts)()

    # Asking

    async def _ask(
        self, what: str, call: Call, *, renew: Callable[[], Awaitable[None]] | None = None
    ) -> tuple[str, httpx.Response | None]:
        """Send until there is an answer that is one; None when it is a refusal that may be."""
        key = new_token("key_")
        answer = await self._persist(what, call, key, renew)
        self._told.operations += 1
        if answer.status_code >= 300:
            code = answer.json().get("code")
            is_gone = what in ("reply", "pay") and code == "not_found"  # paid by the other hand
            if code not in RACES and not is_gone:
                self._told.surprises.append(f"{what}: {answer.status_code} {answer.text}")
            return key, None
        if answer.request.method == "POST" and what != "check" and self._is_repeated():
            self._told.repeated += 1
            again = await self._persist(what, call, key, renew)
            if again.content != answer.content:
                self._told.surprises.append(f"{what} again: {again.text} after {answer.text}")
        return key, answer

    def _is_repeated(self) -> bool:
        return self._chance.randrange(REPEATED_OF) == 0

    async def _persist(
        self, what: str, call: Call, key: str, renew: Callable[[], Awaitable[None]] | None
    ) -> httpx.Response:
        while True:
            try:
                answer = await call({"idempotency-key": key})
                status = answer.status_code
                # A token lives ten minutes, and a consent has a number of looks a day.
                if status in (401, 429) and renew is not None:
                    await renew()
            except (httpx.TransportError, Unavailable, AssertionError):
                self._told.lost += 1
                status = 0
            else:
                self._told.statuses[f"{what} {status}"] += 1
                waits = status == 503 or (status in (401, 429) and renew is not None)
                if not waits and b"idempotency_key_in_flight" not in answer.content:
                    return answer
            self._told.retries += 1
            await asyncio.sleep(RETRY_SECONDS)

    async def _as_citizen(
        self, what: str, method: str, path: str, body: Any = None
    ) -> tuple[str, httpx.Response | None]:
        async def call(key: dict[str, str]) -> httpx.Response:
            headers = key if method == "POST" else None
            return await self._town.call(self._resident.person, method, path, body, headers=headers)

        return await self._ask(what, call)

    async def _as_partner(
        self, what: str, code: str, path: str, body: Any = None
    ) -> tuple[str, httpx.Response | None]:
        """Ask as a partner about an order of its own."""
        shop = self._town.shops[code]

        async def call(key: dict[str, str]) -> httpx.Response:
            return await shop.call("POST", path, body, headers=key)

        return await self._ask(what, call, renew=shop.own.sign_in)

    async def _for_resident(
        self, what: str, code: str, path: str, body: Any
    ) -> tuple[str, httpx.Response | None]:
        """Ask as a partner, with the token it holds for the resident."""
        tokens = self._resident.tokens

        async def call(key: dict[str, str]) -> httpx.Response:
            return await self._town.shops[code].call(
                "POST", path, body, token=tokens[code], headers=key
            )

        async def renew() -> None:
            tokens[code] = await self._town.token_for(self._resident.person, code)

        return await self._ask(what, call, renew=renew)

    # What there is to do

    def _some(self, *states: str, performance: tuple[str | None, ...] | None = None) -> str | None:
        """Return an order of the resident's that was told to be so, or None."""
        told = self._told
        found = [
            order_id
            for order_id, owner in told.owners.items()
            if owner == self._subject_id
            and (newest := told.newest(order_id))["state"] in states
            and (performance is None or newest["performance"] in performance)
        ]
        return self._chance.choice(found) if found else None

    async def _open(self) -> None:
        code = self._chance.choice(CODES)
        body = {
            "programme": code,
            "reference": f"R-{uuid4().hex[:12].translate(_LETTERS)}",
            "amount_fen": self._chance.randrange(500, 2_000),
            "accepts_partial": self._chance.random() < 0.5,
        }
        key, answer = await self._for_resident("open", code, ORDERS, body)
        if answer is not None:
            view = answer.json()
            at_once = ["order.activated"] if view["state"] == "active" else []
            self._told.change(self._subject_id, key, view, "order.created", *at_once)

    async def _confirm(self) -> None:
        if order_id := self._some("created"):
            path = f"/v1/me/orders/{order_id}/confirm"
            self._note(await self._as_citizen("confirm", "POST", path), "order.activated")

    async def _decline(self) -> None:
        if order_id := self._some("created"):
            path = f"/v1/me/orders/{order_id}/decline"
            self._note(await self._as_citizen("decline", "POST", path), "order.cancelled")

    async def _lower(self) -> None:
        if order_id := self._some(*RUNNING):
            amount = self._told.newest(order_id)["amount_fen"]
            body = {"amount_fen": self._chance.randrange(1, amount + 1)}
            self._note(await self._keep("lower", order_id, "amount", body), "order.amount_lowered")

    async def _cancel(self) -> None:
        if order_id := self._some(*RUNNING):
            self._note(await self._keep("cancel", order_id, "cancel"), "order.cancelled")

    async def _complete(self) -> None:
        if order_id := self._some("active"):
            credit = self._told.newest(order_id)["credit_fen"]
            performance = self._chance.choice([None, "performed"])
            body = {"settled_fen": self._chance.randrange(credit + 1), "performance": performance}
            done = await self._keep("complete", order_id, "complete", body)
            self._note(done, "order.completed", *([None] if performance else []))

    async def _report(self) -> None:
        if not (order_id := self._some("completed", performance=(None, "nothing_owed"))):
            return
        if self._chance.random() < 0.3:
            body = {"performance": "performed"}
            self._note(await self._keep("perform", order_id, "performance", body), None)
            return
        owed = {"performance": "open_obligation", "amount_fen": self._chance.randrange(1, 500)}
        _, answer = done = await self._keep("announce", order_id, "performance", owed)
        self._note(done, None)
        if answer is not None:
            obligation_id = answer.json()["obligation"]["obligation_id"]
            self._told.owed[obligation_id] = Owed(order_id, ["obligation.announced"])

    async def _reply(self) -> None:
        if order_id := self._some("completed", performance=("open_obligation",)):
            path, body = f"/v1/me/orders/{order_id}/reply", {"reply": "will_pay", "text": "好"}
            _, answer = await self._as_citizen("reply", "POST", path, body)
            if answer is not None:
                self._owed_under(order_id).topics.append("obligation.replied")

    async def _pay(self) -> None:
        if order_id := self._some("completed", performance=("open_obligation",)):
            how = self._chance.choice(("paid", "withdraw"))
            _, answer = done = await self._keep("pay", order_id, f"obligation/{how}")
            self._note(done, None)
            if answer is not None:
                self._owed_under(order_id).topics.append("obligation.ended")

    def _owed_under(self, order_id: str) -> Owed:
        return next(each for each in self._told.owed.values() if each.order_id == order_id)

    async def _keep(
        self, what: str, order_id: str, step: str, body: Any = None
    ) -> tuple[str, httpx.Response | None]:
        code = self._told.newest(order_id)["programme"]
        return await self._as_partner(what, code, f"{ORDERS}/{order_id}/{step}", body)

    def _note(self, done: tuple[str, httpx.Response | None], *topics: str | None) -> None:
        key, answer = done
        if answer is not None:
            self._told.change(self._subject_id, key, answer.json(), *topics)

    async def _check(self) -> None:
        code = self._chance.choice(CODES)
        path, body = "/v1/eligibility-checks", {"programme": code}
        _, answer = await self._for_resident("check", code, path, body)
        if answer is not None and answer.json()["eligible"]:
            self._told.yes.append(answer.json()["decision_id"])

    async def _enrol(self) -> None:
        code = self._chance.choice(CODES)
        body = {"programme": code}
        _, answer = await self._as_citizen("enrol", "POST", "/v1/me/enrolments", body)
        if answer is not None:
            self._told.enrolled[answer.json()["enrolment_id"]] = self._subject_id, code

    async def _leave(self) -> None:
        mine = [
            enrolment_id
            for enrolment_id, (subject_id, _) in self._told.enrolled.items()
            if subject_id == self._subject_id and enrolment_id not in self._told.left
        ]
        if mine:
            enrolment_id = self._chance.choice(mine)
            path = f"/v1/me/enrolments/{enrolment_id}"
            _, answer = await self._as_citizen("leave", "DELETE", path)
            if answer is not None:
                self._told.left.add(enrolment_id)

    async def _refill(self) -> None:
        code, operator = self._chance.choice(CODES), self._town.operator
        path = f"/v1/operator/budgets/{code}/refills"
        body = {"span": "programme", "bucket": "", "amount_fen": REFILL_FEN, "uses": 0}

        async def call(key: dict[str, str]) -> httpx.Response:
            return await operator.call("POST", path, body, headers=key)

        _, answer = await self._ask("refill", call)
        if answer is not None:
            self._told.refills.append((code, REFILL_FEN))


# A reference that could be a person's number is refused.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")

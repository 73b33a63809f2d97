"""Goal: two people bring a version live, on a dry run of what they approve; all steps are told.

Method: the service's verbs on a real database; a city of sixty people in three districts for the
numbers, and the signature taken apart where it must not hold.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any
from uuid import UUID

import msgspec
import pytest

from backend.app import House
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal
from backend.ledger import service as ledger
from backend.ledger.rules import Actor
from backend.partner import service as partner
from backend.programme import service
from backend.programme.rules.life import VersionState, programme_id
from backend.programme.service import SignedDryRun
from tests.conftest import NOW
from tests.support.crowd import DISTRICTS, Crowd, born_on
from tests.support.programme_world import GOOD, set_facts

ANN, BEN = Actor.at_shell("安"), Actor.at_shell("本")
WHY = "新一年的额度"
LATER = NOW + timedelta(seconds=1)


def library(version: int = 3, **changes: str) -> str:
    text = (files("backend.programme") / "data/library.toml").read_text("utf-8")
    text = text.replace("version = 2", f"version = {version}")
    for old, new in changes.items():
        assert text.count(SAID[old]) == 1
        text = text.replace(SAID[old], new)
    return text


SAID = {
    "seats": "seats = 200000",
    "bound": "at_least = 600",
    "budget": "amount_fen = 200000000",
    "rule": "[rule]",
}


async def look(
    tx: Tx, vault: Vault, version: int = 3, now: datetime = NOW, code: str = "library"
) -> SignedDryRun:
    signed = await service.work_out_dry_run(
        tx,
        code=code,
        version=version,
        made_by=ANN.login,
        vault=vault,
        now=now,
    )
    await service.keep_dry_run(tx, signed=signed, by=ANN, reason=WHY)
    return signed


async def approve(tx: Tx, dry_run_id: UUID, version: int = 3, by: Actor = BEN) -> VersionState:
    done = await service.approve(
        tx,
        code="library",
        version=version,
        dry_run_id=dry_run_id,
        by=by,
        reason=WHY,
        now=NOW + timedelta(hours=1),
    )
    return done.state


async def hand_in(tx: Tx, text: str, version: int = 3, by: Actor = ANN) -> None:
    await service.draft(tx, text=text, by=by, reason=WHY, now=NOW)
    await service.submit(tx, code="library", version=version, by=by, reason=WHY, now=LATER)


async def refusal(awaitable: Awaitable[object]) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await awaitable
    return refused.value


async def test_a_version_is_live_when_a_second_person_approves_what_they_saw(
    tx: Tx, vault: Vault
) -> None:
    await service.publish_packaged(tx, now=NOW)
    await hand_in(tx, library(seats="seats = 5"))
    signed = await look(tx, vault)
    assert signed.dry_run.is_sound
    assert await approve(tx, signed.dry_run.dry_run_id) is VersionState.LIVE
    found = await service.find_programme(tx, programme_code="library")
    assert found is not None
    assert (found.programme.document.version, found.seats.total) == (3, 5)
    before = await service.get_version(tx, code="library", version=2)
    assert before.state is VersionState.RETIRED
    live = await service.get_version(tx, code="library", version=3)
    assert (live.drafted_by, live.submitted_by, live.decided_by) == (
        ANN.login,
        ANN.login,
        BEN.login,
    )
    page = await ledger.list_actions(
        tx, thing="programme:library", login=None, cursor=None, page_size=10
    )
    assert {(each.action, each.login) for each in page.items} == {
        ("programme.approved", BEN.login),
        ("programme.looked_at", ANN.login),
        ("programme.submitted", ANN.login),
        ("programme.drafted", ANN.login),
    }


async def test_nobody_decides_on_what_they_wrote_or_submitted(tx: Tx, vault: Vault) -> None:
    await service.publish_packaged(tx, now=NOW)
    await service.draft(tx, text=library(), by=ANN, reason=WHY, now=NOW)
    await service.submit(tx, code="library", version=3, by=BEN, reason=WHY, now=NOW)
    signed = await look(tx, vault)
    for person in (ANN, BEN):
        refused = await refusal(approve(tx, signed.dry_run.dry_run_id, by=person))
        assert refused.code == "programme_self_decision"
        refused = await refusal(
            service.reject(tx, code="library", version=3, by=person, reason=WHY, now=NOW)
        )
        assert refused.code == "programme_self_decision"
    assert (
        await approve(tx, signed.dry_run.dry_run_id, by=Actor.at_shell("青")) is VersionState.LIVE
    )


async def test_ones_own_draft_is_replaced_and_nobody_elses(tx: Tx) -> None:
    await service.publish_packaged(tx, now=NOW)
    await service.draft(tx, text=library(), by=ANN, reason=WHY, now=NOW)
    changed = library(seats="seats = 7")
    refused = await refusal(service.draft(tx, text=changed, by=BEN, reason=WHY, now=NOW))
    assert (refused.code, refused.facts["drafted_by"]) == ("programme_draft_taken", ANN.login)
    again = await service.draft(tx, text=changed, by=ANN, reason=WHY, now=NOW)
    assert again.document["seats"] == 7
    await service.submit(tx, code="library", version=3, by=ANN, reason=WHY, now=NOW)
    refused = await refusal(service.draft(tx, text=library(), by=ANN, reason=WHY, now=NOW))
    assert refused.code == "programme_version_taken"
    await service.reject(tx, code="library", version=3, by=BEN, reason="太贵", now=NOW)
    once_more = await service.draft(tx, text=library(), by=ANN, reason=WHY, now=NOW)
    assert (once_more.state, once_more.decided_by) == (VersionState.DRAFT, None)


async def test_what_can_not_be_proved_is_no_draft_and_no_old_number_is_one(tx: Tx) -> None:
    await service.publish_packaged(tx, now=NOW)
    refused = await refusal(
        service.draft(tx, text=library(seats="seats = 0"), by=ANN, reason=WHY, now=NOW)
    )
    assert refused.code == "programme_document_invalid"
    assert any("seats:" in fault for fault in refused.facts["faults"])
    refused = await refusal(service.draft(tx, text=library(2), by=ANN, reason=WHY, now=NOW))
    assert refused.code == "programme_version_taken"


async def test_an_approval_rests_on_a_dry_run_of_this_text_beside_what_is_live_today(
    tx: Tx, vault: Vault
) -> None:
    await service.publish_packaged(tx, now=NOW)
    await service.draft(tx, text=library(), by=ANN, reason=WHY, now=NOW)
    of_other_text = await look(tx, vault)
    await hand_in(tx, library(seats="seats = 7"))
    old = await look(tx, vault, now=NOW - timedelta(hours=24))
    unfit = {
        "unknown": UUID(int=1),
        "other_text": of_other_text.dry_run.dry_run_id,
        "too_old": old.dry_run.dry_run_id,
    }
    for why, dry_run_id in unfit.items():
        refused = await refusal(approve(tx, dry_run_id))
        assert (refused.code, refused.facts["why"]) == ("programme_dry_run_unfit", why)
    beside_two = await look(tx, vault)
    await hand_in(tx, library(4, seats="seats = 9"), version=4)
    assert await approve(tx, (await look(tx, vault, 4)).dry_run.dry_run_id, 4) is VersionState.LIVE
    refused = await refusal(approve(tx, beside_two.dry_run.dry_run_id))
    assert refused.facts["why"] == "other_live_version"


async def test_what_is_promised_is_not_taken_back(tx: Tx, vault: Vault) -> None:
    await service.publish_packaged(tx, now=NOW)
    await tx.execute("UPDATE seat_budget SET seats_taken = 9 WHERE programme_code = 'library'")
    await hand_in(tx, library(seats="seats = 8"))
    signed = await look(tx, vault)
    assert not signed.dry_run.is_sound
    (fault,) = [each for check in signed.dry_run.checks for each in check.faults]
    assert fault == "seats: more citizens are enrolled"
    refused = await refusal(approve(tx, signed.dry_run.dry_run_id))
    assert refused.facts["why"] == "faults"


async def test_a_step_out_of_turn_is_refused(tx: Tx, vault: Vault) -> None:
    await service.publish_packaged(tx, now=NOW)
    await service.draft(tx, text=library(), by=ANN, reason=WHY, now=NOW)
    signed = await look(tx, vault)
    refused = await refusal(approve(tx, signed.dry_run.dry_run_id))
    assert (refused.code, refused.facts) == (
        "programme_step_impossible",
        {"state": "draft", "step": "approve"},
    )
    await service.submit(tx, code="library", version=3, by=ANN, reason=WHY, now=NOW)
    refused = await refusal(
        service.submit(tx, code="library", version=3, by=ANN, reason=WHY, now=NOW)
    )
    assert refused.facts["state"] == "submitted"
    refused = await refusal(
        service.submit(tx, code="library", version=99, by=ANN, reason=WHY, now=NOW)
    )
    assert refused.code == "programme_unknown"


async def test_a_pause_closes_for_a_while_and_its_partners_are_told_in_order(tx: Tx) -> None:
    await service.publish_packaged(tx, now=NOW)
    added = await partner.add_partner(
        tx, code="city-library", name_zh="甲", name_en="A", kind="merchant", now=NOW
    )
    moments = (NOW + timedelta(seconds=second) for second in range(9))

    async def take(step: Callable[..., Awaitable[None]]) -> None:
        await step(tx, programme_code="library", by=ANN, reason=WHY, now=next(moments))

    async def closed() -> bool:
        found = await service.find_programme(tx, programme_code="library")
        assert found is not None
        return found.is_closed

    await take(service.pause)
    await take(service.pause)
    assert await closed()
    await take(service.resume)
    assert not await closed()
    await take(service.end)
    await take(service.end)
    assert await closed()
    refused = await refusal(take(service.resume))
    assert refused.facts == {"state": "ended", "step": "resume"}
    rows = await tx.fetch_all(
        Told, "SELECT payload FROM outbox WHERE topic = 'webhook.message' ORDER BY event_id"
    )
    told = [row.payload for row in rows]
    assert [each["topic"] for each in told] == [
        "programme.paused",
        "programme.resumed",
        "programme.ended",
    ]
    assert [each["sequence"] for each in told] == sorted({each["sequence"] for each in told})
    assert {each["partner_id"] for each in told} == {str(added.partner_id)}
    assert {each["object_id"] for each in told} == {str(programme_id("library"))}


class Told(msgspec.Struct):
    payload: dict[str, Any]


async def test_partners_are_told_when_a_version_lets_an_ended_programme_run_again(
    tx: Tx, vault: Vault
) -> None:
    await service.publish_packaged(tx, now=NOW)
    await partner.add_partner(
        tx, code="city-library", name_zh="甲", name_en="A", kind="merchant", now=NOW
    )
    await service.end(tx, programme_code="library", by=ANN, reason=WHY, now=NOW)
    await hand_in(tx, library())
    await approve(tx, (await look(tx, vault)).dry_run.dry_run_id)
    await hand_in(tx, library(4), version=4)
    await approve(tx, (await look(tx, vault, 4)).dry_run.dry_run_id, 4)
    rows = await tx.fetch_all(
        Told, "SELECT payload FROM outbox WHERE topic = 'webhook.message' ORDER BY event_id"
    )
    told = [(row.payload["topic"], row.payload["sequence"]) for row in rows]
    assert [topic for topic, _ in told] == ["programme.ended", "programme.resumed"]
    assert told[0][1] < told[1][1]


async def test_a_dry_run_is_what_the_service_signed_and_all_of_it(tx: Tx, vault: Vault) -> None:
    await service.publish_packaged(tx, now=NOW)
    await service.draft(tx, text=library(), by=ANN, reason=WHY, now=NOW)
    signed = await look(tx, vault)
    kept = await service.get_dry_run(tx, dry_run_id=signed.dry_run.dry_run_id)
    assert kept == signed
    assert service.is_authentic(kept, vault=vault)
    better = msgspec.structs.replace(kept.dry_run, participants=kept.dry_run.participants + 20)
    assert not service.is_authentic(SignedDryRun(better, kept.signature), vault=vault)
    stranger = Vault(kek=b"k" * 32, digest_key=b"d" * 32)
    assert not service.is_authentic(kept, vault=stranger)
    head, _, tail = kept.signature.rpartition(".")
    broken = f"{head}.{'A' if tail[0] != 'A' else 'B'}{tail[1:]}"
    assert not service.is_authentic(SignedDryRun(kept.dry_run, broken), vault=vault)
    assert set(service.verification_key(vault=vault)) >= {"kty", "crv", "x"}
    assert "d" not in service.verification_key(vault=vault)


@pytest.fixture
async def crowd(house: House) -> Crowd:
    crowd = Crowd(house)
    await crowd.join(*range(1, 121))
    async with house.database.write() as tx:
        await service.publish_packaged(tx, now=house.clock.now())
        for serial in range(1, 121):
            points = 800 if serial <= 40 else 610 if serial <= 80 else 300
            await set_facts(tx, crowd.subject(serial), GOOD | {"score": points})
    return crowd


async def test_a_city_is_counted_and_nobody_is_told_of_fewer_than_twenty(
    crowd: Crowd, clock: FixedClock
) -> None:
    house, now = crowd.house, clock.now()
    enrol = f'[enrol]\nfact = "context.district"\none_of = ["{DISTRICTS[0]}"]\n\n[rule]'
    async with house.database.write() as tx:
        for text in (library(bound="at_least = 700"), library(4, rule=enrol)):
            await service.draft(tx, text=text, by=ANN, reason=WHY, now=now)
        stricter = await look(tx, house.vault, 3, now)
        elsewhere = await look(tx, house.vault, 4, now)
    found = stricter.dry_run
    assert (found.participants, found.rule_met, found.eligible) == (120, 40, 40)
    assert found.difference is not None
    assert (found.difference.lost, found.difference.kept) == (40, 40)
    assert found.difference.gained is None, "none is told from a few"
    assert (found.cost.cost_fen, found.cost.budget_fen) == (40 * 1000, 200_000_000)
    assert found.cost.is_within
    assert {each.code for each in found.parity.districts} == set(DISTRICTS)
    for group in (*found.parity.age_bands, *found.parity.districts):
        assert group.people is None or group.people % 20 == 0
        assert group.eligible is None or group.eligible % 20 == 0
    near = elsewhere.dry_run
    assert near.rule_met == 80
    assert near.eligible in {None, 20, 40}, "27 of them live there"
    assert near.difference is not None
    assert near.difference.lost is None, "the rule is the same; who enrolled keeps their place"


async def test_no_two_dry_runs_tell_what_one_person_has(crowd: Crowd, clock: FixedClock) -> None:
    """The only person of a district is asked for by name of it, with a bound below and above."""
    house, now = crowd.house, clock.now()
    await crowd.join(121, district="999009")
    enrol = '[enrol]\nfact = "context.district"\none_of = ["999009"]\n\n[rule]'
    async with house.database.write() as tx:
        await set_facts(tx, crowd.subject(121), GOOD | {"score": 640})
        looks = []
        for version, bound in ((3, "at_least = 640"), (4, "at_least = 641")):
            text = library(version, bound=bound, rule=enrol)
            await service.draft(tx, text=text, by=ANN, reason=WHY, now=now)
            looks.append((await look(tx, house.vault, version, now)).dry_run)
    below, above = (
        (each.rule_met, each.eligible, each.cost.cost_fen, each.difference, each.parity)
        for each in looks
    )
    assert below == above


async def test_of_two_who_approve_at_once_one_version_is_live(
    house: House, clock: FixedClock
) -> None:
    now = clock.now()
    async with house.database.write() as tx:
        await service.publish_packaged(tx, now=now)
        looks = []
        for version in (3, 4):
            await hand_in(tx, library(version, seats=f"seats = {version}"), version)
            looks.append((await look(tx, house.vault, version, now)).dry_run.dry_run_id)

    async def decide(place: int) -> str:
        try:
            async with house.database.write() as tx:
                await service.approve(
                    tx,
                    code="library",
                    version=3 + place,
                    dry_run_id=looks[place],
                    by=BEN,
                    reason=WHY,
                    now=now,
                )
        except Refusal as refused:
            return refused.code
        return "live"

    outcomes = await asyncio.gather(decide(0), decide(1))
    async with house.database.read() as tx:
        live = await tx.fetch_value(
            int,
            "SELECT count(*) FROM programme_version"
            " WHERE programme_code = 'library' AND state = 'live'",
        )
    assert live == 1
    assert outcomes.count("live") == 1, outcomes


def lacking(refused: Refusal) -> set[str]:
    """Return the facts that a refusal says are missing; it says of none what it is now."""
    assert refused.code == "not_eligible_yet"
    missing = refused.facts["missing"]
    assert isinstance(missing, list)
    conditions = [each for group in missing for each in group["one_of"]]
    assert {each["current"] for each in conditions} == {None}
    return {each["fact"] for each in conditions}


async def test_conditions_of_enrolment_are_asked_once_and_say_nothing_of_the_identity_number(
    crowd: Crowd, clock: FixedClock
) -> None:
    house, now = crowd.house, clock.now()
    enrol = f"""[enrol]
all = [
  {{ fact = "context.district", one_of = ["{DISTRICTS[0]}"] }},
  {{ fact = "context.age", at_least = 30 }},
]

[rule]"""
    async with house.database.write() as tx:
        programme = service.load_by_packaged(library(rule=enrol))
        await service.publish(tx, programme=programme, now=now)
    outcomes: dict[int, object] = {}
    for serial in range(1, 13):
        try:
            async with house.database.write() as tx:
                await service.enrol(
                    tx,
                    subject_id=crowd.subject(serial),
                    programme_code="library",
                    vault=house.vault,
                    now=now,
                )
        except Refusal as refused:
            outcomes[serial] = lacking(refused)
        else:
            outcomes[serial] = "enrolled"
    for serial, outcome in outcomes.items():
        lacks = set()
        if serial % len(DISTRICTS) != 0:
            lacks.add("context.district")
        if now.year - born_on(serial).year < 30:
            lacks.add("context.age")
        assert outcome == (lacks or "enrolled"), serial
    with pytest.raises(RuntimeError, match="only a vault opens"):
        async with house.database.write() as tx:
            await service.enrol(tx, subject_id=crowd.subject(13), programme_code="library", now=now)

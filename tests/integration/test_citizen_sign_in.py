"""Goal: only who holds the phone gets in, guessing is hopeless, and nobody registers as another.

Method: the verbs on a real PostgreSQL. Windows are walked to the microsecond with `now` as an
argument; races run as many transactions at once on a database of their own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta

import msgspec
import pytest

from backend.citizen import service
from backend.citizen.ports import FileIdentityRegister, identity_digest
from backend.citizen.rules import (
    AccountMissing,
    CodeToSend,
    CodeWithheld,
    IdentityNotConfirmed,
    RegisterDecision,
    SessionKind,
    SignedIn,
    SignInDecision,
    SignInFailed,
    SignInThrottled,
)
from backend.kit.crypto import Vault
from backend.kit.ids import token_hash
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from tests.conftest import NOW
from tests.support.citizen import JKT, Everybody, code_in, national_id, phone, sign_up

TICK = timedelta(microseconds=1)
WINDOW = timedelta(minutes=10)
WRONG = "999999"


class Door:
    """Signs in at one transaction, with defaults for what a test doesn't talk about."""

    def __init__(self, tx: Tx, vault: Vault) -> None:
        self.tx, self.vault = tx, vault

    async def ask(self, serial: int = 1, now=NOW, **changes) -> object:
        given = {"phone": phone(serial), "device": None, "address": f"10.9.0.{serial}"}
        return await service.request_code(
            self.tx, vault=self.vault, now=now, **{**given, **changes}
        )

    async def code(self, serial: int = 1, now=NOW, **changes) -> str:
        """Return a fresh code; the one in ten^6 that equals WRONG is thrown back."""
        code = code_in(await self.ask(serial, now, **changes))
        return code if code != WRONG else await self.code(serial, now, **changes)

    async def sign_in(self, code: str, serial: int = 1, now=NOW, **changes) -> SignInDecision:
        given = {"phone": phone(serial), "device": None, "address": f"10.9.0.{serial}"}
        given |= {"jkt": JKT, "kind": SessionKind.APP}
        return await service.sign_in(
            self.tx, code=code, vault=self.vault, now=now, **{**given, **changes}
        )

    async def register(self, code: str, serial: int = 1, now=NOW, **changes) -> RegisterDecision:
        given = {"phone": phone(serial), "device": None, "address": f"10.9.0.{serial}"}
        given |= {"jkt": JKT, "kind": SessionKind.APP, "name": "林晓"}
        given |= {"national_id": national_id(serial), "identity": Everybody()}
        return await service.register(
            self.tx, code=code, vault=self.vault, now=now, **{**given, **changes}
        )


@pytest.fixture
def door(tx: Tx, vault: Vault) -> Door:
    return Door(tx, vault)


async def test_the_right_code_signs_in_once_and_the_token_finds_the_session(door: Door) -> None:
    """A code is used up by success; only the token's hash is stored."""
    owner = await sign_up(door.tx, vault=door.vault, now=NOW)
    code = await door.code()
    signed = await door.sign_in(code)
    assert isinstance(signed, SignedIn)
    found = await service.find_session(door.tx, token_hash=token_hash(signed.token), now=NOW)
    assert found == signed.session
    assert (signed.session.subject_id, signed.session.jkt) == (owner.session.subject_id, JKT)
    assert signed.token.startswith("cp_st_")
    assert isinstance(await door.sign_in(code), SignInFailed)


async def test_a_code_is_good_for_five_minutes_and_until_the_next_one(door: Door) -> None:
    """Too old by a microsecond fails; a newer code replaces the one before."""
    await sign_up(door.tx, vault=door.vault, now=NOW)
    first = await door.code()
    life = timedelta(minutes=5)
    assert isinstance(await door.sign_in(first, now=NOW + life), SignInFailed)
    second = await door.code(now=NOW + life)
    while second == first:
        second = await door.code(now=NOW + life)
    assert isinstance(await door.sign_in(first, now=NOW + life), SignInFailed)
    assert isinstance(await door.sign_in(second, now=NOW + 2 * life - TICK), SignedIn)


async def test_another_phones_code_is_of_no_use(door: Door) -> None:
    """A code is bound to the phone it was sent to."""
    await sign_up(door.tx, vault=door.vault, now=NOW)
    await door.code(1)
    foreign = await door.code(2)
    while foreign == await door.code(1, address="10.9.9.9"):
        foreign = await door.code(2)
    assert isinstance(await door.sign_in(foreign, 1), SignInFailed)


class WatchedTx(Tx):
    """Writes down each statement it runs."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx._connection)
        self.statements: list[str] = []

    async def execute(self, sql: str, *args: object) -> int:
        self.statements.append(sql)
        return await super().execute(sql, *args)

    async def fetch_all(self, kind, sql: str, *args: object):
        self.statements.append(sql)
        return await super().fetch_all(kind, sql, *args)

    async def fetch_optional(self, kind, sql: str, *args: object):
        self.statements.append(sql)
        return await super().fetch_optional(kind, sql, *args)

    async def fetch_optional_value(self, kind, sql: str, *args: object):
        self.statements.append(sql)
        return await super().fetch_optional_value(kind, sql, *args)


async def test_a_phone_without_an_account_does_the_same_work_and_gets_the_same_answer(
    door: Door,
) -> None:
    """Asking for a code and guessing one run the same statements, known phone or not."""
    await sign_up(door.tx, vault=door.vault, now=NOW, serial=1)

    async def work(act: Callable[[Door], Awaitable[object]]) -> tuple[type, list[str]]:
        watched = WatchedTx(door.tx)
        return type(await act(Door(watched, door.vault))), watched.statements

    asked = [await work(lambda door, s=serial: door.ask(s)) for serial in (1, 2)]
    guessed = [await work(lambda door, s=serial: door.sign_in(WRONG, s)) for serial in (1, 2)]
    assert asked[0] == asked[1]
    assert guessed[0] == guessed[1]
    assert len(asked[0][1]) == len(guessed[0][1]) == 3, "the statements were seen"


VARIED = {
    "phone": lambda n: {"device": f"device-{n}", "address": f"10.1.0.{n}"},
    "device": lambda n: {"phone": phone(100 + n), "address": f"10.1.0.{n}", "device": "same"},
    "address": lambda n: {"phone": phone(100 + n), "device": f"device-{n}", "address": "10.2.0.1"},
    "ipv6 network": lambda n: {"phone": phone(100 + n), "address": f"2001:db8::{n}"},
}


@pytest.mark.parametrize("same", VARIED)
async def test_the_sixth_wrong_code_in_ten_minutes_is_not_looked_at(door: Door, same: str) -> None:
    """Five a phone, a device, an address: each alone, whatever else changes; the window is exact.

    The sixth try carries the right code and still fails; at ten minutes after the first it passes.
    """
    vary = VARIED[same]
    await sign_up(door.tx, vault=door.vault, now=NOW, serial=1)
    first = NOW + TICK
    for n in range(5):
        wrong = await door.sign_in(WRONG, now=first + n * timedelta(minutes=1), **vary(n))
        assert isinstance(wrong, SignInFailed)
    mine = {key: value for key, value in vary(5).items() if key != "phone"}
    last = first + WINDOW - TICK
    code = await door.code(now=last, address="10.3.0.1")
    refused = await door.sign_in(code, now=last, **mine)
    assert refused == SignInThrottled(1)
    opened = await door.sign_in(code, now=first + WINDOW, **mine)
    assert isinstance(opened, SignedIn)


@pytest.mark.parametrize("same", VARIED)
async def test_after_the_first_falls_out_one_more_try_is_counted(door: Door, same: str) -> None:
    """The window slides: at its edge one try comes free, not five."""
    vary = VARIED[same]
    for n in range(5):
        await door.sign_in(WRONG, now=NOW + n * timedelta(minutes=1), **vary(n))
    assert isinstance(await door.sign_in(WRONG, now=NOW + WINDOW, **vary(6)), SignInFailed)
    refused = await door.sign_in(WRONG, now=NOW + WINDOW, **vary(7))
    assert refused == SignInThrottled(60)


async def test_a_throttled_try_does_not_count(door: Door) -> None:
    """Knocking on doesn't prolong the wait."""
    for _ in range(5):
        await door.sign_in(WRONG)
    for minute in range(10):
        later = await door.sign_in(WRONG, now=NOW + minute * timedelta(minutes=1))
        assert isinstance(later, SignInThrottled)
    assert isinstance(await door.sign_in(WRONG, now=NOW + WINDOW), SignInFailed)


@pytest.mark.parametrize("known_by", ["its key's sessions", "its cookie"])
async def test_others_cant_lock_somebody_out_of_her_own_device(door: Door, known_by: str) -> None:
    """Strangers use up the tries of her phone and of the address they share, again and again."""
    mine = {"device": JKT, "is_known": False}
    if known_by == "its cookie":
        mine = {"device": "browser", "is_known": True, "jkt": None, "kind": SessionKind.WEB}
    await sign_up(door.tx, vault=door.vault, now=NOW)
    asking = {name: mine[name] for name in ("device", "is_known")}
    for n in range(3):
        now = NOW + n * WINDOW
        for stranger in range(6):
            for _ in range(6):
                await door.ask(now=now, device=f"s{stranger}", address="10.9.0.1")
                await door.sign_in(WRONG, now=now, device=f"s{stranger}", address="10.9.0.1")
        assert isinstance(await door.sign_in(WRONG, now=now, address="10.9.9.9"), SignInThrottled)
        code = await door.code(now=now, **asking)
        assert isinstance(await door.sign_in(code, now=now, **mine), SignedIn)


async def test_a_known_device_has_its_own_five_tries(door: Door) -> None:
    """Whoever stole it guesses no faster; what it does is no burden to others."""
    await sign_up(door.tx, vault=door.vault, now=NOW)
    for _ in range(5):
        assert isinstance(await door.sign_in(WRONG, device=JKT), SignInFailed)
    assert isinstance(await door.sign_in(WRONG, device=JKT), SignInThrottled)
    for _ in range(5):
        assert isinstance(await door.ask(device=JKT), CodeToSend)
    assert isinstance(await door.ask(device=JKT), CodeWithheld)
    assert isinstance(await door.sign_in(WRONG), SignInFailed)
    assert isinstance(await door.ask(), CodeToSend)


async def test_a_device_is_known_for_its_own_phone_only(door: Door) -> None:
    """Having an account opens no way around the tries of somebody else's."""
    await sign_up(door.tx, vault=door.vault, now=NOW, serial=1)
    await sign_up(door.tx, vault=door.vault, now=NOW, serial=2)
    await door.tx.execute("UPDATE session SET jkt = 'other' || substr(jkt, 6)")
    for n in range(5):
        failed = await door.sign_in(WRONG, 2, device=f"d{n}", address=f"10.3.0.{n}")
        assert isinstance(failed, SignInFailed)
    await door.tx.execute(
        "UPDATE session SET jkt = $1 WHERE subject_id = $2",
        JKT,
        door.vault.subject_id(national_id(1)),
    )
    assert isinstance(await door.sign_in(WRONG, 2, device=JKT), SignInThrottled)
    assert isinstance(await door.sign_in(WRONG, 1, device=JKT), SignInFailed)


async def test_signing_in_rightly_uses_up_no_tries(door: Door) -> None:
    """A library's readers share an address: those who get in don't shut out the next."""
    for serial in range(1, 9):
        await sign_up(door.tx, vault=door.vault, now=NOW, serial=serial)
        code = await door.code(serial, address="10.4.0.1")
        assert isinstance(await door.sign_in(code, serial, address="10.4.0.1"), SignedIn)


async def test_twenty_guesses_at_once_are_five_tries(database: Database, vault: Vault) -> None:
    """The counters' locks let guesses through one by one, in whatever order they come."""

    async def guess(n: int) -> SignInDecision:
        async with database.write() as tx:
            return await Door(tx, vault).sign_in(WRONG, device=f"d{n}", address=f"10.5.0.{n}")

    decisions = await asyncio.gather(*(guess(n) for n in range(20)))
    assert sum(isinstance(decision, SignInFailed) for decision in decisions) == 5
    assert sum(isinstance(decision, SignInThrottled) for decision in decisions) == 15


async def test_one_code_presented_twice_at_once_opens_one_session(
    database: Database, vault: Vault
) -> None:
    """The same code from two installs: one is in, the other has failed."""
    async with database.write() as tx:
        await sign_up(tx, vault=vault, now=NOW)
        code = await Door(tx, vault).code()

    async def enter(n: int) -> SignInDecision:
        async with database.write() as tx:
            return await Door(tx, vault).sign_in(code, device=f"d{n}", address=f"10.5.0.{n}")

    decisions = await asyncio.gather(*(enter(n) for n in range(4)))
    assert sum(isinstance(decision, SignedIn) for decision in decisions) == 1


async def test_codes_are_sent_five_times_in_ten_minutes_to_one_phone(door: Door) -> None:
    """The sixth is withheld, the fifth stays good; at the window's edge one is sent again."""
    await sign_up(door.tx, vault=door.vault, now=NOW)
    for n in range(5):
        asked = await door.ask(now=NOW + n * timedelta(seconds=1), address=f"10.6.0.{n}")
    assert await door.ask(now=NOW + timedelta(seconds=5), address="10.6.0.9") == CodeWithheld(595)
    assert isinstance(await door.ask(now=NOW + WINDOW, address="10.6.0.9"), CodeToSend)
    assert isinstance(asked, CodeToSend)


async def test_a_code_that_was_used_was_wanted(door: Door) -> None:
    """Signing in clears the phone's count of sent codes: only unwanted ones are limited."""
    await sign_up(door.tx, vault=door.vault, now=NOW)
    for _ in range(12):
        assert isinstance(await door.sign_in(await door.code()), SignedIn)


@pytest.mark.parametrize(
    ("limit", "same"), [(20, {"device": "one"}), (100, {"address": "10.7.0.1"})]
)
async def test_codes_are_limited_for_a_device_and_an_address_too(
    door: Door, limit: int, same: dict[str, str]
) -> None:
    """Nobody rings a whole street from one machine."""
    for n in range(limit):
        asked = await door.ask(n + 1, **{"address": f"10.8.0.{n}", **same})
        assert isinstance(asked, CodeToSend)
    withheld = await door.ask(limit + 1, **{"address": "10.8.1.1", **same})
    assert isinstance(withheld, CodeWithheld)


async def test_registering_needs_the_three_to_belong_together(door: Door, tmp_path) -> None:
    """Nobody registers with someone else's national id: the register knows whose it is."""
    path = tmp_path / "identity-register"
    known = identity_digest(
        door.vault, national_id=national_id(1), name="阿卜杜拉·买买提", phone=phone(1)
    )
    path.write_text(f"{known.hex()}\n\n")
    register = FileIdentityRegister.load(path, door.vault)
    code = await door.code()
    for wrong in ({"national_id": national_id(2)}, {"name": "林晓"}):
        given = {"name": "阿卜杜拉·买买提", "identity": register, **wrong}
        assert isinstance(await door.register(code, **given), IdentityNotConfirmed)
    # A slip of the pen is corrected with the same code; the dot was typed another way.
    signed = await door.register(code, name="阿卜杜拉•买买提", identity=register)
    assert isinstance(signed, SignedIn)
    assert signed.session.subject_id == door.vault.subject_id(national_id(1))


async def test_the_register_cant_be_searched_through_the_door(door: Door, tmp_path) -> None:
    """An identity that isn't confirmed counts as a try: five, then the door is shut."""
    path = tmp_path / "identity-register"
    path.write_text("")
    nobody = FileIdentityRegister.load(path, door.vault)
    code = await door.code()
    for n in range(5):
        tried = await door.register(code, national_id=national_id(n), identity=nobody)
        assert isinstance(tried, IdentityNotConfirmed)
    assert isinstance(await door.register(code), SignInThrottled)


async def test_registering_needs_the_code(door: Door) -> None:
    """A wrong code is a failed try, and nothing is opened."""
    await door.code()
    assert isinstance(await door.register(WRONG), SignInFailed)
    assert await door.tx.fetch_value(int, "SELECT count(*) FROM account") == 0


async def test_minors_are_refused_until_their_birthday_in_the_city(door: Door) -> None:
    """At midnight in Asia/Shanghai, 16:00 UTC, the eighteenth birthday begins."""
    birthday = national_id(1, date(2008, 11, 21))
    eve = NOW.replace(day=20, hour=15, minute=59, second=59)
    code = await door.code(now=eve)
    with pytest.raises(Refusal) as refused:
        await door.register(code, national_id=birthday, now=eve)
    assert refused.value.code == "under_age"
    midnight = eve + timedelta(seconds=1)
    assert isinstance(await door.register(code, national_id=birthday, now=midnight), SignedIn)


async def test_a_right_code_without_an_account_leads_to_registering_with_it(door: Door) -> None:
    """Only who holds the phone hears that it has no account."""
    code = await door.code()
    assert isinstance(await door.sign_in(code), AccountMissing)
    assert isinstance(await door.register(code), SignedIn)


@pytest.mark.parametrize("taken", ["identity", "phone"])
async def test_one_account_for_an_identity_and_one_for_a_phone(door: Door, taken: str) -> None:
    """The second is refused, and isn't told which of the two has one."""
    await sign_up(door.tx, vault=door.vault, now=NOW, serial=1)
    serial, number = (2, national_id(1)) if taken == "identity" else (1, national_id(2))
    code = await door.code(serial)
    with pytest.raises(Refusal) as refused:
        await door.register(code, serial, national_id=number)
    assert (refused.value.code, refused.value.facts) == ("account_exists", {})


@pytest.mark.parametrize("same", ["identity", "phone"])
async def test_of_registrations_at_once_one_wins(
    database: Database, vault: Vault, same: str
) -> None:
    """Primary key and unique index decide; the losers leave nothing behind."""
    codes: dict[int, str] = {}
    for serial in range(1, 6):
        async with database.write() as tx:
            wanted = serial if same == "identity" else 1
            codes[serial] = await Door(tx, vault).code(wanted, address="10.9.1.1")

    async def open_account(serial: int) -> str:
        if same == "identity":
            mine, number, code = serial, national_id(1), codes[serial]
        else:
            mine, number, code = 1, national_id(serial), codes[5]
        try:
            async with database.write() as tx:
                decision = await Door(tx, vault).register(
                    code, mine, national_id=number, device=f"d{serial}", address=f"10.9.2.{serial}"
                )
        except Refusal as refusal:
            return refusal.code
        return type(decision).__name__

    outcomes = await asyncio.gather(*(open_account(serial) for serial in range(1, 6)))
    assert outcomes.count("SignedIn") == 1
    assert set(outcomes) <= {"SignedIn", "account_exists", "SignInFailed"}
    async with database.read() as tx:
        for table in ("account", "phone_directory", "session"):
            assert await tx.fetch_value(int, f"SELECT count(*) FROM {table}") == 1


async def test_an_apps_session_ends_after_thirty_days_or_when_signed_out(door: Door) -> None:
    """Expired and ended sessions are not found; ending twice keeps the first end."""
    app = await sign_up(door.tx, vault=door.vault, now=NOW)
    key = token_hash(app.token)
    end = NOW + timedelta(days=30)
    assert await service.find_session(door.tx, token_hash=key, now=end - TICK) is not None
    assert await service.find_session(door.tx, token_hash=key, now=end) is None
    await service.end_session(door.tx, token_hash=key, now=NOW + TICK)
    await service.end_session(door.tx, token_hash=key, now=NOW + 2 * TICK)
    assert await service.find_session(door.tx, token_hash=key, now=NOW) is None


async def test_a_browsers_session_lives_on_with_use_and_dies_when_idle(door: Door) -> None:
    """Twelve idle hours, or seven days in all; what has ended can't be prolonged."""
    web = await sign_up(door.tx, vault=door.vault, now=NOW, kind=SessionKind.WEB)
    key, session = token_hash(web.token), web.session
    assert session.jkt is None
    moment = NOW
    while moment < NOW + timedelta(days=7) - timedelta(hours=11):
        moment += timedelta(hours=11)
        found = await service.find_session(door.tx, token_hash=key, now=moment)
        assert found is not None
        assert await service.extend_session(door.tx, session=found, now=moment)
    last = await service.find_session(door.tx, token_hash=key, now=moment)
    assert last is not None
    assert last.expires_at == NOW + timedelta(days=7)
    assert not await service.extend_session(door.tx, session=last, now=NOW + timedelta(days=7))
    idle = await sign_up(door.tx, vault=door.vault, now=NOW, serial=2, kind=SessionKind.WEB)
    later = NOW + timedelta(hours=12)
    assert not await service.extend_session(door.tx, session=idle.session, now=later)


async def test_sweeping_takes_what_has_no_effect_and_nothing_else(door: Door) -> None:
    """Live sessions, codes and counters stay; expired ones go, and it can be run again."""
    signed = await sign_up(door.tx, vault=door.vault, now=NOW)
    await door.code(2)
    await door.sign_in(WRONG, 2)
    assert await service.sweep(door.tx, now=NOW) == 0
    assert await service.sweep(door.tx, now=NOW + timedelta(days=1)) > 0
    assert await door.tx.fetch_value(int, "SELECT count(*) FROM sign_in_try") == 0
    key = token_hash(signed.token)
    assert await service.find_session(door.tx, token_hash=key, now=NOW) is not None
    assert await service.sweep(door.tx, now=NOW + timedelta(days=31)) == 1
    assert await service.sweep(door.tx, now=NOW + timedelta(days=31)) == 0


async def test_a_dump_searched_for_what_we_know_of_a_citizen_finds_nothing(door: Door) -> None:
    """Every row of every table as text: no phone, no national id, no name, no code, no token."""
    signed = await sign_up(door.tx, vault=door.vault, now=NOW)
    code = await door.code()
    await door.sign_in(WRONG)
    tables = await door.tx.fetch_all(
        Table,
        """SELECT table_name::text AS name FROM information_schema.tables
           WHERE table_schema = 'public' AND table_type = 'BASE TABLE'""",
    )
    dump = ""
    for table in tables:
        rows = await door.tx.fetch_all(Row, f'SELECT t::text AS text FROM "{table.name}" t')
        dump += "\n".join(row.text for row in rows)
    assert str(signed.session.subject_id) in dump, "the rows were looked at"
    known = [
        phone(1),
        phone(1)[3:],
        national_id(1),
        national_id(1)[6:14],
        "林晓",
        code,
        signed.token,
    ]
    for secret in known:
        for form in (secret, secret.encode().hex()):
            assert form not in dump


class Table(msgspec.Struct):
    name: str


class Row(msgspec.Struct):
    text: str

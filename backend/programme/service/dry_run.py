"""Dry runs: the city counted under a version that isn't live yet, and signed."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from backend.citizen import service as citizen
from backend.consent.service import PURPOSES
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.ledger import service as ledger
from backend.ledger.rules import Actor
from backend.programme.rules import dry_run as rules
from backend.programme.rules.compile import CompiledCohort, compile_cohort
from backend.programme.rules.context import context_lacks
from backend.programme.rules.document import Programme, read_programme, restore_programme
from backend.programme.rules.dry_run import Cohort, DryRun, Seen
from backend.programme.rules.fact import vocabulary_of
from backend.programme.rules.life import Version
from backend.programme.rules.proof import Ground, static_checks
from backend.programme.service.context import context_facts
from backend.programme.service.life import get_version
from backend.programme.service.publication import programmes_by_digest
from backend.programme.store import cohort as cohort_store
from backend.programme.store import dry_run as store
from backend.programme.store import life as life_store
from backend.programme.store import programme as programme_store
from backend.record.service import get_catalogue
from backend.score import service as score
from backend.score.rules.sample import AGE_BANDS

BATCH = 500
_LABEL, _MARK = "programme-dry-run", "programme-dry-run-mark"
_ALGORITHM = "Ed25519"  # RFC 9864; "EdDSA" doesn't say which curve


class SignedDryRun(msgspec.Struct, frozen=True):
    """A dry run with its signature: a JWS in compact form over the canonical JSON of it."""

    dry_run: DryRun
    signature: str


async def work_out_dry_run(
    tx: ReadTx,
    *,
    code: str,
    version: int,
    made_by: str,
    vault: Vault,
    now: datetime,
    on_progress: Callable[[int], None] = lambda _: None,
) -> SignedDryRun:
    """Count the city under a version, beside the live one; nothing is kept.

    It takes as long as the city is large, so it is no part of a transaction that writes.
    `on_progress` gets how many people are counted. Raises Refusal programme_unknown,
    catalogue_missing, scorecard_missing.
    """
    found = await get_version(tx, code=code, version=version)
    programme = restore_programme(found.document, found.digest)
    live = await _live(tx, code)
    scorecard, catalogue = await score.scorecard_in_force(tx), await get_catalogue(tx)
    standing = await life_store.find_standing(tx, code)
    ground = Ground(vocabulary_of(scorecard), PURPOSES, catalogue)
    checks = static_checks(_members(found, programme), ground)
    checks["promises_kept"] = rules.promise_faults(
        programme.document,
        seats_taken=standing.seats_taken,
        committed_fen=standing.committed_fen,
        uses=standing.uses,
    )
    cohort = Cohort()
    statement = compile_cohort(programme.rule, None if live is None else live.rule, scorecard)
    await _count(tx, cohort, programme, statement, vault=vault, now=now, on_progress=on_progress)
    not_scored, rule_met, eligible = cohort.told_parts(programme)
    made = DryRun(
        dry_run_id=new_id(now),
        programme=code,
        version=version,
        digest=found.digest.hex(),
        live_version=None if live is None else live.document.version,
        live_digest=None if live is None else live.digest.hex(),
        scorecard_version=scorecard.version,
        catalogue_edition=catalogue.edition,
        as_of=city_date(now),
        made_by=made_by,
        made_at=now,
        checks=rules.checks_of(checks),
        participants=rules.told_participants(cohort),
        not_scored=not_scored,
        rule_met=rule_met,
        eligible=eligible,
        cost=cohort.cost_of(programme.document, eligible),
        difference=cohort.difference_to(None if live is None else live.document.version),
        parity=cohort.parity(),
    )
    return SignedDryRun(made, _sign(made, vault))


async def keep_dry_run(tx: Tx, *, signed: SignedDryRun, by: Actor, reason: str) -> None:
    """Keep a dry run: what its maker has seen, and when; an approval names it."""
    made = signed.dry_run
    assert made.made_by == by.login, "who looked is who is written down"
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made))
    await store.insert_dry_run(
        tx,
        store.DryRunRow(
            dry_run_id=made.dry_run_id,
            programme_code=made.programme,
            version=made.version,
            digest=bytes.fromhex(made.digest),
            live_digest=None if made.live_digest is None else bytes.fromhex(made.live_digest),
            scorecard_version=made.scorecard_version,
            as_of=made.as_of,
            document=document,
            signature=signed.signature,
            made_by=made.made_by,
            made_at=made.made_at,
        ),
    )
    await ledger.note_action(
        tx,
        by=by,
        action="programme.looked_at",
        thing=f"programme:{made.programme}",
        reason=reason,
        now=made.made_at,
        facts={"version": made.version, "dry_run_id": str(made.dry_run_id)},
    )


async def get_dry_run(tx: ReadTx, *, dry_run_id: UUID) -> SignedDryRun:
    """Return a dry run as it was made; raises Refusal programme_dry_run_unknown."""
    row = await store.find_dry_run(tx, dry_run_id)
    if row is None:
        raise Refusal("programme_dry_run_unknown")
    return _signed(row)


async def list_dry_runs(tx: ReadTx, *, code: str, version: int) -> list[SignedDryRun]:
    """Return the latest dry runs of a version, the last one first; Refusal programme_unknown."""
    await get_version(tx, code=code, version=version)
    return [_signed(row) for row in await store.list_dry_runs(tx, code, version)]


def is_authentic(signed: SignedDryRun, *, vault: Vault) -> bool:
    """Say whether a dry run is what the service signed, and all of it."""
    key = OKPKey.import_key(verification_key(vault=vault))
    try:
        found = jws.deserialize_compact(signed.signature, key, algorithms=[_ALGORITHM])
    except (JoseError, ValueError):
        return False
    return found.payload == _canonical(signed.dry_run)


def verification_key(*, vault: Vault) -> dict[str, Any]:
    """Return the public key (JWK) that signatures of dry runs are checked with."""
    return dict(_key(vault).as_dict(private=False))


def _sign(made: DryRun, vault: Vault) -> str:
    key = _key(vault)
    header = {"alg": _ALGORITHM, "kid": key.thumbprint(), "typ": "creditplus-dry-run+jws"}
    return jws.serialize_compact(header, _canonical(made), key, algorithms=[_ALGORITHM])


def _key(vault: Vault) -> OKPKey:
    return OKPKey.import_key(
        vault.signing_key(_LABEL).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def _canonical(made: DryRun) -> bytes:
    return msgspec.json.encode(made, order="sorted")


def _signed(row: store.DryRunRow) -> SignedDryRun:
    return SignedDryRun(msgspec.convert(row.document, DryRun), row.signature)


async def _live(tx: ReadTx, code: str) -> Programme | None:
    row = await programme_store.find_programme(tx, code)
    if row is None:
        return None
    return (await programmes_by_digest(tx, {row.digest}))[row.digest]


def _members(version: Version, programme: Programme) -> dict[str, Any]:
    """Return the members of a version: of its text, or of what a release brought with it."""
    if not version.text:
        return msgspec.structs.asdict(programme.document)
    members, _ = read_programme(version.text, [])
    return members


async def _count(
    tx: ReadTx,
    cohort: Cohort,
    programme: Programme,
    statement: CompiledCohort,
    *,
    vault: Vault,
    now: datetime,
    on_progress: Callable[[int], None],
) -> None:
    """Count every participant, a batch at a time."""
    after: UUID | None = None
    while True:
        batch = await citizen.list_contexts(
            tx, after=after, limit=BATCH, vault=vault, today=city_date(now)
        )
        rows = await cohort_store.evaluate_cohort(
            tx, statement, [each.subject_id for each in batch]
        )
        found = {row.subject_id: row for row in rows}
        for each in batch:
            row = found.get(each.subject_id)
            is_met = row is not None and row.is_met
            can_enrol = not context_lacks(programme.enrol, context_facts(each, day=city_date(now)))
            cohort.add(
                Seen(
                    mark=int.from_bytes(vault.digest(_MARK, str(each.subject_id))[:8]),
                    age_band=citizen.age_band_of(each.age, AGE_BANDS),
                    district=each.district,
                    is_scored=row is not None,
                    is_met=is_met,
                    is_eligible=is_met and can_enrol,
                    was_met=row is not None and row.was_met,
                )
            )
        on_progress(cohort.participants)
        if len(batch) < BATCH:
            return
        after = batch[-1].subject_id

"""An eligibility check as it is usually written: the same tables, tokens, proofs, rule and rows.

A session of the pool a request, ORM, one commit; DPoP by joserfc, the single use by redis-py.
The rule, the trace and the seal are ours, so that only the way differs. It knows the good case and
refuses everything else in one breath: it is a yardstick, and serves nobody.

Run as `python -m tests.bench.peer.app PORT`.
"""

import asyncio
import gc
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
import uvicorn
import uvloop
from fastapi import Depends, FastAPI, Header, HTTPException
from joserfc import jws
from joserfc.jwk import ECKey
from pydantic import BaseModel
from redis.asyncio import Redis
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from backend.consent.service import PURPOSES
from backend.kit.clock import SystemClock, city_date
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.jose import encode_base64url
from backend.programme.rules import eligibility as rules
from backend.programme.service import packaged_documents
from backend.score.service import packaged_scorecard
from tests.bench.peer.model import (
    AccessEntry,
    Client,
    Consent,
    DecisionRow,
    Enrolment,
    Grant,
    Participation,
    Partner,
    Programme,
    Score,
    Token,
)
from tests.conftest import DIGEST_KEY, KEK

PATH = "/v1/eligibility-checks"
ORIGIN = os.environ["CREDIT_PUBLIC_ORIGIN"]
POOL_SIZE = 10  # as the service's own
engine = create_async_engine(
    os.environ["CREDIT_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
    pool_size=POOL_SIZE,
    max_overflow=0,
    pool_timeout=60,
    connect_args={"server_settings": {"role": "creditplus_app"}},
)
sessions = async_sessionmaker(engine, expire_on_commit=False)
redis = Redis.from_url(os.environ["CREDIT_VALKEY_URL"])
vault = Vault(kek=KEK, digest_key=DIGEST_KEY)
clock = SystemClock()
programmes = {each.digest: each for each in packaged_documents()}
scorecard = packaged_scorecard()
app = FastAPI()


class CheckCreate(BaseModel):
    """The question."""

    programme: str


class CheckView(BaseModel):
    """The answer."""

    eligible: bool
    programme: str
    benefit: dict[str, Any]
    decision_id: UUID
    valid_until: datetime


class Caller(msgspec.Struct, frozen=True):
    """Who asks about whom."""

    grant: Grant
    partner: Partner


async def session() -> AsyncIterator[AsyncSession]:
    """Give a request a session of its own."""
    async with sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


def proof_key(proof: str, *, token: str) -> tuple[str, str]:
    """Return thumbprint and jti of a proof made for this request."""
    # The library wants a key before it reads; the proof brings its own.
    unverified = jws.extract_compact(proof.encode())
    header = unverified.headers()
    if header.get("typ") != "dpop+jwt" or header.get("alg") != "ES256":
        raise HTTPException(401)
    key = ECKey.import_key(header["jwk"])
    payload = jws.deserialize_compact(proof, key, algorithms=["ES256"], registry=REGISTRY).payload
    claims = msgspec.json.decode(payload)
    now = clock.now().timestamp()
    ath = encode_base64url(hashlib.sha256(token.encode()).digest())
    is_right = claims["htm"] == "POST" and claims["htu"] == ORIGIN + PATH and claims["ath"] == ath
    if not is_right or not now - 60 <= claims["iat"] <= now + 10:
        raise HTTPException(401)
    return key.thumbprint(), claims["jti"]


REGISTRY = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)


async def caller(
    db: Session, authorization: Annotated[str, Header()], dpop: Annotated[str, Header()]
) -> Caller:
    """Return who calls, once token, proof and single use are good."""
    token = authorization.removeprefix("DPoP ")
    jkt, jti = proof_key(dpop, token=token)
    row = (await db.execute(_token_query(hashlib.sha256(token.encode()).digest()))).one_or_none()
    if row is None or row.Token.dpop_jkt != jkt or row.Token.expires_at <= clock.now():
        raise HTTPException(401)
    if not await redis.set(f"peer:{jkt}:{jti}", "1", nx=True, ex=90):
        raise HTTPException(401)
    if "eligibility:verify" not in row.Token.scopes:
        raise HTTPException(403)
    return Caller(row.Grant, row.Partner)


def _token_query(token_hash: bytes) -> Select[Token, Grant, Partner]:
    return (
        select(Token, Grant, Partner)
        .select_from(Token)
        .join(Grant, Grant.grant_id == Token.grant_id)
        .join(Partner, Partner.partner_id == Grant.partner_id)
        .join(Client, Client.client_id == Grant.client_id)
        .where(
            Token.token_hash == token_hash,
            Token.audience == ORIGIN,
            Token.revoked_at.is_(None),
            Grant.revoked_at.is_(None),
            Client.suspended_at.is_(None),
            Partner.suspended_at.is_(None),
        )
    )


@app.post(PATH)
async def check(
    body: CheckCreate, db: Session, who: Annotated[Caller, Depends(caller)]
) -> CheckView:
    """Answer a check once decision and look are committed."""
    now, grant = clock.now(), who.grant
    if not rules.covers(grant.details, body.programme):
        raise HTTPException(403)
    consent = (
        await db.execute(
            select(Consent)
            .where(
                Consent.subject_id == grant.subject_id,
                Consent.consent_id == grant.consent_id,
                Consent.ended_at.is_(None),
                Consent.expires_at > now,
            )
            .with_for_update()
        )
    ).scalar_one_or_none()
    if consent is None:
        raise HTTPException(401)
    evidence = await _evidence(db, who, consent, body.programme, now)
    if evidence.looks_today >= evidence.per_day:
        raise HTTPException(429)
    current = programmes[evidence.current_digest]
    facts = rules.facts_in(evidence, {scorecard.digest: scorecard}, programme=current)
    verdict = rules.decide(evidence, facts=facts, current=current, promised=current, now=now)
    if not verdict.eligible:
        raise HTTPException(404)
    decision = _write(db, who, consent, evidence, verdict, now)
    await db.commit()
    assert decision.valid_until is not None
    return CheckView(
        eligible=True,
        programme=body.programme,
        benefit=msgspec.to_builtins(verdict.programme.document.benefit),
        decision_id=decision.decision_id,
        valid_until=decision.valid_until,
    )


async def _evidence(
    db: AsyncSession, who: Caller, consent: Consent, code: str, now: datetime
) -> rules.Evidence:
    found = (
        await db.execute(
            select(Programme, Participation, Score, Enrolment)
            .select_from(Programme)
            .outerjoin(Participation, Participation.subject_id == consent.subject_id)
            .outerjoin(Score, Score.subject_id == consent.subject_id)
            .outerjoin(
                Enrolment,
                (Enrolment.subject_id == consent.subject_id)
                & (Enrolment.programme_code == code)
                & Enrolment.ended_at.is_(None),
            )
            .where(Programme.programme_code == code)
        )
    ).one()
    looks = await db.scalar(
        select(func.coalesce(func.max(DecisionRow.look_number), 0)).where(
            DecisionRow.subject_id == consent.subject_id,
            DecisionRow.consent_id == consent.consent_id,
            DecisionRow.day == city_date(now),
        )
    )
    programme, participation, score = found.Programme, found.Participation, found.Score
    return rules.Evidence(
        position=0,
        purpose=consent.purpose,
        consent_expires_at=consent.expires_at,
        per_day=consent.detail["per_day"],
        looks_today=looks or 0,
        checks_a_day=who.partner.checks_a_day,
        partner_code=who.partner.code,
        partner_kind=who.partner.kind,
        partner_name_zh=who.partner.name_zh,
        partner_name_en=who.partner.name_en,
        is_partner_suspended=who.partner.suspended_at is not None,
        is_programme_ended=programme.ended_at is not None or programme.paused_at is not None,
        current_digest=programme.digest,
        promised_digest=programme.digest if found.Enrolment is not None else None,
        is_granted=False,
        participation_key=participation.data_key,
        points=score.points,
        dimensions=[
            score.identity_points,
            score.performance_points,
            score.law_points,
            score.economic_points,
            score.civic_points,
        ],
        indicator_values=score.indicator_values,
        scorecard_version=score.scorecard_version,
        scorecard_digest=scorecard.digest,
        score_digest=score.input_digest,
        score_as_of=score.as_of,
    )


def _write(
    db: AsyncSession,
    who: Caller,
    consent: Consent,
    evidence: rules.Evidence,
    verdict: rules.Verdict,
    now: datetime,
) -> DecisionRow:
    decision_id, programme = new_id(now), verdict.programme
    trace = rules.trace_of(verdict, evidence=evidence, salt=os.urandom(16))
    assert evidence.participation_key is not None
    decision = DecisionRow(
        subject_id=consent.subject_id,
        decision_id=decision_id,
        partner_id=who.partner.partner_id,
        client_id=who.grant.client_id,
        consent_id=consent.consent_id,
        programme_code=programme.document.code,
        programme_version=programme.document.version,
        eligible=True,
        facts_digest=rules.facts_digest(trace),
        trace_sealed=vault.seal(
            evidence.participation_key,
            msgspec.json.encode(trace),
            aad=f"decision|trace_sealed|{decision_id}",
        ),
        decided_at=now,
        valid_until=rules.valid_until(
            verdict, current=programme, consent_expires_at=consent.expires_at, now=now
        ),
        day=city_date(now),
        look_number=evidence.looks_today + 1,
    )
    purpose = PURPOSES[consent.purpose]
    look = AccessEntry(
        subject_id=consent.subject_id,
        entry_id=new_id(now),
        actor_kind="partner",
        actor_id=who.partner.code,
        actor_name_zh=who.partner.name_zh,
        actor_name_en=who.partner.name_en,
        action=rules.ACTION,
        data_kinds=list(rules.DATA_KINDS),
        purpose=consent.purpose,
        purpose_zh=purpose.text_zh,
        purpose_en=purpose.text_en,
        consent_id=consent.consent_id,
        programme_code=programme.document.code,
        decision_id=decision_id,
        disclosed="eligible",
        at=now,
    )
    db.add_all([decision, look])
    return decision


async def serve(port: int) -> None:
    """Serve until SIGTERM, the way backend/asgi.py does."""
    gc.collect()
    gc.freeze()
    await uvicorn.Server(
        uvicorn.Config(
            app,
            port=port,
            loop="none",
            http="httptools",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
        )
    ).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))

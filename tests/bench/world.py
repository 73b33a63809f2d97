"""A city to measure: citizens who take part, are enrolled, and let the library look.

Everybody comes in by the rooms' own verbs. Only two things are set as data, because no verb gives
them: facts that are enough for the programme, and a look limit that a bench does not reach.
"""

import hashlib
import json
import os
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey

from backend.app import Participation
from backend.cli.city.seed import join, write_register
from backend.consent import service as consent
from backend.kit.clock import SystemClock
from backend.kit.crypto import Vault
from backend.kit.ids import new_id, new_token, token_hash
from backend.kit.jose import encode_base64url
from backend.kit.postgres import Database
from backend.oauth import service as oauth
from backend.oauth.rules.grant import ACCESS_TOKEN_LIFE_SECONDS, ACCESS_TOKEN_PREFIX, Grant
from backend.oauth.store import NewAccessToken, insert_access_token, insert_grant
from backend.partner import service as partner
from backend.programme import service as programme
from tests.support.citizen import national_id, phone
from tests.support.programme_world import GOOD, figures_of

CLIENT, PROGRAMME, PURPOSE = "library-bench", "library", "deposit_free_borrowing"
DETAIL = {"type": "eligibility", "programme": PROGRAMME, "purpose": PURPOSE}
PATH = "/v1/eligibility-checks"
SCOPES = ["eligibility:verify"]
LOOKS_A_DAY = 1_000_000


class Desk:
    """The library's lending desk: its DPoP key, and a live token for each citizen."""

    def __init__(self, database: Database, vault: Vault, origin: str) -> None:
        self.database, self.vault, self.origin = database, vault, origin
        self.clock = SystemClock()
        self.grants: list[Grant] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._jwk = ECKey.import_key(self._key)
        self._tokens: list[str] = []
        self._random = Random(1)

    def public_jwk(self) -> dict[str, Any]:
        """The public part of the desk's key."""
        return {k: v for k, v in self._jwk.as_dict(private=False).items() if k != "kid"}

    async def issue_tokens(self) -> None:
        """Issue a fresh access token for each grant, as the token endpoint does."""
        now = self.clock.now()
        self._tokens = [new_token(ACCESS_TOKEN_PREFIX) for _ in self.grants]
        async with self.database.write() as tx:
            for grant, token in zip(self.grants, self._tokens, strict=True):
                new = NewAccessToken(
                    token_hash=token_hash(token),
                    audience=self.origin,
                    scopes=SCOPES,
                    dpop_jkt=self._jwk.thumbprint(),
                    created_at=now,
                    expires_at=now + timedelta(seconds=ACCESS_TOKEN_LIFE_SECONDS),
                )
                await insert_access_token(tx, grant, new)

    def requests(self, count: int) -> list[bytes]:
        """Prepare checks of random citizens, each with a proof of its own (good for a minute)."""
        header = encode_base64url(
            json.dumps({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.public_jwk()}).encode()
        )
        return [self._request(self._random.choice(self._tokens), header) for _ in range(count)]

    def _request(self, token: str, header: str) -> bytes:
        claims = {
            "jti": os.urandom(12).hex(),
            "htm": "POST",
            "htu": self.origin + PATH,
            "iat": int(self.clock.now().timestamp()),
            "ath": encode_base64url(hashlib.sha256(token.encode()).digest()),
        }
        signed = f"{header}.{encode_base64url(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        proof = f"{signed}.{encode_base64url(r.to_bytes(32) + s.to_bytes(32))}"
        body = json.dumps({"programme": PROGRAMME})
        return (
            f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: DPoP {token}\r\nDPoP: {proof}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


async def found_city(desk: Desk, directory: Path, *, citizens: int) -> None:
    """Let citizens register, join, enrol and consent; then give the desk its tokens."""
    now = desk.clock.now()
    async with desk.database.write() as tx:
        await programme.publish_packaged(tx, now=now)
        await oauth.ensure_signing_key(tx, vault=desk.vault, now=now)
        names = {"name_zh": "市图书馆", "name_en": "City Library"}
        await partner.add_partner(tx, code="city-library", kind="merchant", now=now, **names)
        client = await partner.add_client(
            tx,
            partner_code="city-library",
            client_id=CLIENT,
            jwks={"keys": [desk.public_jwk() | {"kid": "1", "alg": "ES256", "use": "sig"}]},
            redirect_uris=["https://library.example.cn/callback"],
            scopes=SCOPES,
            now=now,
            **names,
        )
    subject_ids = await _settle(desk, directory, citizens=citizens)
    async with desk.database.write() as tx:
        for subject_id in subject_ids:
            await programme.enrol(tx, subject_id=subject_id, programme_code=PROGRAMME, now=now)
            given = await consent.give(
                tx, subject_id=subject_id, client_id=CLIENT, detail=DETAIL, now=now
            )
            grant = Grant(
                grant_id=new_id(now),
                subject_id=subject_id,
                client_id=CLIENT,
                partner_id=client.partner_id,
                consent_id=given.consent_id,
                pairwise_subject=desk.vault.pairwise(subject_id, client.partner_id),
                scopes=SCOPES,
                details=[DETAIL],
                created_at=now,
                expires_at=given.expires_at,
                revoked_at=None,
            )
            await insert_grant(tx, grant)
            desk.grants.append(grant)
        await tx.execute(
            "UPDATE consent SET detail = jsonb_set(detail, '{per_day}', to_jsonb($1::bigint))",
            LOOKS_A_DAY,
        )
    await desk.issue_tokens()


async def _settle(desk: Desk, directory: Path, *, citizens: int) -> list[UUID]:
    """Let citizens with good records register and join; return their subjects."""
    first = date(1980, 1, 1)
    people = [
        ("林晓", national_id(serial, first + timedelta(days=serial // 1000)), phone(serial))
        for serial in range(citizens)
    ]
    register = directory / "identity-register"
    write_register(register, people, desk.vault)
    hooks = Participation()
    joined = await join(
        desk.database, people, register=register, hooks=hooks, vault=desk.vault, clock=desk.clock
    )
    assert joined == citizens, f"{joined} of {citizens} joined"
    async with desk.database.write() as tx:
        await tx.execute(
            """UPDATE score SET points = $1, identity_points = $2, performance_points = $3,
                 law_points = $4, economic_points = $5, civic_points = $6, indicator_values = $7""",
            *figures_of(GOOD),
        )
    return [desk.vault.subject_id(person[1]) for person in people]

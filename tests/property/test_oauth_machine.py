"""Goal: in any order of events, nobody gets a token that isn't theirs, a code counts once, a second
use ends its grant, and nothing ended ever comes back.

Method: the authorization server's pure decisions, driven by Hypothesis as a state machine over
tables in memory that are written as the service writes them. Honest and thieving clients, right and
wrong keys, verifiers and redirects, the clock, and withdrawals come in any order. What must hold is
kept in sets of its own, not read from the decisions.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from backend.oauth.rules.fault import OauthError
from backend.oauth.rules.grant import (
    ACCESS_TOKEN_LIFE_SECONDS,
    Code,
    CodeAttempt,
    CodeReused,
    Grant,
    Redemption,
    RefreshAttempt,
    Refreshing,
    RefreshToken,
    TokensDue,
    decide_redemption,
    decide_refresh,
)
from backend.oauth.rules.introspection import introspect_access
from backend.oauth.rules.token import AccessToken, is_live, principal_of
from tests.conftest import NOW
from tests.support.examples import examples
from tests.support.oauth_client import ELIGIBILITY, ISSUER, REDIRECT_URI
from tests.support.oauth_world import CONSENT_ID, PARTNER_ID, SUBJECT_ID

CLIENTS = ["library", "thief"]
KEYS = {"library": "L" * 43, "thief": "T" * 43}
VERIFIERS = {"library": "l" * 43, "thief": "t" * 43}

clients = st.sampled_from(CLIENTS)
steps = st.sampled_from([0, 1, 59, 60, 61, 599, 600, 3600, 86_400, 86_400 * 91, 86_400 * 91])


class Server(RuleBasedStateMachine):
    """The server's tables, and beside them what has truly happened."""

    codes = Bundle("codes")
    refreshes = Bundle("refreshes")
    access = Bundle("access")

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.grants: dict[UUID, Grant] = {}
        self.code_rows: dict[int, Code] = {}
        self.refresh_rows: dict[int, RefreshToken] = {}
        self.access_rows: dict[int, AccessToken] = {}
        self.wins: dict[int, int] = {}
        self.ended: set[UUID] = set()
        self.dead: set[int] = set()

    def number(self) -> int:
        """Return a fresh number for a row."""
        return len(self.code_rows) + len(self.refresh_rows) + len(self.access_rows) + 1

    @rule(target=codes, life=st.sampled_from([30, 3600, 86_400 * 400]), bound=st.booleans())
    def approve(self, life: int, bound: bool) -> int:
        """The citizen says yes to the library."""
        number = self.number()
        grant = Grant(
            grant_id=UUID(int=number),
            subject_id=SUBJECT_ID,
            client_id="library",
            partner_id=PARTNER_ID,
            consent_id=CONSENT_ID,
            pairwise_subject="pairwise",
            scopes=["eligibility:verify"],
            details=ELIGIBILITY,
            created_at=self.now,
            expires_at=self.now + timedelta(seconds=life),
            revoked_at=None,
        )
        self.grants[grant.grant_id] = grant
        self.code_rows[number] = Code(
            code_hash=number.to_bytes(32),
            grant_id=grant.grant_id,
            subject_id=SUBJECT_ID,
            client_id="library",
            redirect_uri=REDIRECT_URI,
            code_challenge=create_s256_code_challenge(VERIFIERS["library"]),
            dpop_jkt=KEYS["library"] if bound else None,
            created_at=self.now,
            expires_at=min(self.now + timedelta(seconds=60), grant.expires_at),
            consumed_at=None,
        )
        self.wins[number] = 0
        return number

    @rule(
        target=access,
        code=codes,
        client=clients,
        key=clients,
        verifier=clients,
        redirect=st.sampled_from([REDIRECT_URI, REDIRECT_URI, "https://evil.example/"]),
    )
    def redeem(self, code: int, client: str, key: str, verifier: str, redirect: str) -> Any:
        """Somebody brings a code."""
        row = self.code_rows[code]
        grant = self.grants[row.grant_id]
        redemption = Redemption(client, "code", redirect, VERIFIERS[verifier], KEYS[key])
        try:
            decision = decide_redemption(CodeAttempt(row, grant, redemption, self.now))
        except OauthError:
            return self.no_token()
        assert client == "library"
        if isinstance(decision, CodeReused):
            assert self.wins[code] == 1
            self.end(decision.grant_id)
            return self.no_token()
        assert verifier == "library"
        assert redirect == REDIRECT_URI
        assert row.dpop_jkt in (None, KEYS[key])
        assert self.now < row.expires_at
        self.wins[code] += 1
        self.code_rows[code] = msgspec.structs.replace(row, consumed_at=self.now)
        number = self.number()
        assert decision.refresh_expires_at is not None
        self.refresh_rows[number] = RefreshToken(
            token_hash=number.to_bytes(32),
            grant_id=grant.grant_id,
            subject_id=SUBJECT_ID,
            client_id=client,
            audience=ISSUER,
            dpop_jkt=KEYS[key],
            created_at=self.now,
            expires_at=decision.refresh_expires_at,
            revoked_at=None,
        )
        return self.issue(grant, decision, KEYS[key])

    @rule(target=access, place=st.integers(0, 5), client=clients, key=clients)
    def refresh(self, place: int, client: str, key: str) -> Any:
        """Somebody brings a refresh token."""
        if not self.refresh_rows:
            return self.no_token()
        row = list(self.refresh_rows.values())[place % len(self.refresh_rows)]
        grant = self.grants[row.grant_id]
        refreshing = Refreshing(client, "refresh", None, KEYS[key])
        try:
            due = decide_refresh(RefreshAttempt(row, grant, refreshing, self.now))
        except OauthError:
            return self.no_token()
        assert client == "library"
        assert KEYS[key] == row.dpop_jkt
        assert self.now < row.expires_at <= row.created_at + timedelta(days=90)
        assert due.refresh_expires_at is None
        return self.issue(grant, due, KEYS[key])

    def no_token(self) -> Any:
        """Return what stands for no new token in a bundle."""
        return multiple()

    def issue(self, grant: Grant, due: TokensDue, jkt: str) -> int:
        """Write an access token down."""
        assert grant.grant_id not in self.ended
        number = self.number()
        self.access_rows[number] = AccessToken(
            token_hash=number.to_bytes(32),
            grant_id=grant.grant_id,
            subject_id=SUBJECT_ID,
            client_id=grant.client_id,
            partner_id=PARTNER_ID,
            consent_id=CONSENT_ID,
            pairwise_subject="pairwise",
            audience=ISSUER,
            scopes=due.scopes,
            details=grant.details,
            dpop_jkt=jkt,
            created_at=self.now,
            expires_at=due.access_expires_at,
            revoked_at=None,
            grant_revoked_at=None,
            grant_expires_at=grant.expires_at,
            client_suspended_at=None,
            partner_suspended_at=None,
        )
        return number

    def end(self, grant_id: UUID) -> None:
        """Revoke a grant."""
        grant = self.grants[grant_id]
        if grant.revoked_at is None:
            self.grants[grant_id] = msgspec.structs.replace(grant, revoked_at=self.now)
        self.ended.add(grant_id)

    @rule(code=codes)
    def withdraw(self, code: int) -> None:
        """The citizen withdraws the consent."""
        self.end(self.code_rows[code].grant_id)

    @rule(token=consumes(access))
    def revoke(self, token: int) -> None:
        """The library gives one access token back."""
        row = self.access_rows[token]
        self.access_rows[token] = msgspec.structs.replace(row, revoked_at=self.now)
        self.dead.add(token)

    @rule(seconds=steps)
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)

    def joined(self, number: int) -> AccessToken:
        """Return an access token as the store joins it with its grant."""
        row = self.access_rows[number]
        revoked_at = self.grants[row.grant_id].revoked_at
        return msgspec.structs.replace(row, grant_revoked_at=revoked_at)

    @invariant()
    def a_code_counts_at_most_once(self) -> None:
        assert all(count <= 1 for count in self.wins.values())

    @invariant()
    def what_is_ended_stays_ended(self) -> None:
        for number, row in self.access_rows.items():
            token = self.joined(number)
            live = is_live(token, audience=ISSUER, now=self.now)
            assert live == self.should_live(number, row)
            assert (principal_of(token, audience=ISSUER, now=self.now) is not None) == live
            for client in CLIENTS:
                found = introspect_access(
                    token, client_id=client, issuer=ISSUER, audience=ISSUER, now=self.now
                )
                assert (found is not None) == (live and client == "library")

    def should_live(self, number: int, row: AccessToken) -> bool:
        """Say by what truly happened whether a token is good."""
        ends: datetime = min(
            row.created_at + timedelta(seconds=ACCESS_TOKEN_LIFE_SECONDS),
            self.grants[row.grant_id].expires_at,
        )
        return row.grant_id not in self.ended and number not in self.dead and self.now < ends


Server.TestCase.settings = examples(400, stateful_step_count=40)
TestServer = Server.TestCase

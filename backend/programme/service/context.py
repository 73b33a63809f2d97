"""What a citizen is asked about once, when enrolling: opened for the answer, kept nowhere."""

from datetime import date, datetime
from uuid import UUID

from backend.citizen import service as citizen
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.postgres import ReadTx
from backend.programme.rules.context import ContextFacts, ContextRule, context_lacks
from backend.programme.rules.document import Programme
from backend.record.rules.life import months_between


async def find_context_lacks(
    tx: ReadTx, *, subject_id: UUID, programme: Programme, vault: Vault, now: datetime
) -> ContextRule:
    """Return the conditions of enrolment that a participant doesn't meet, by clauses.

    The identity number is opened only where the programme asks about it.
    """
    if not programme.enrol:
        return ()
    day = city_date(now)
    context = await citizen.find_context(tx, subject_id=subject_id, vault=vault, today=day)
    return context_lacks(
        programme.enrol, {} if context is None else context_facts(context, day=day)
    )


def context_facts(context: citizen.Context, *, day: date) -> ContextFacts:
    """Return what conditions of enrolment ask about, by the vocabulary of `rules.context`."""
    return {
        "context.age": context.age,
        "context.district": context.district,
        "context.participation_months": months_between(context.joined_on, day),
    }

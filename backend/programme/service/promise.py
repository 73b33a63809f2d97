"""The version of a programme that was promised to somebody, long after another is in force."""

from uuid import UUID

from backend.kit.postgres import ReadTx
from backend.programme.rules.document import Programme
from backend.programme.service.publication import programmes_by_digest
from backend.programme.store import programme as programme_store
from backend.programme.store import promise as store


async def get_decided_version(tx: ReadTx, *, subject_id: UUID, decision_id: UUID) -> Programme:
    """Return the version by which a decision about a citizen was made."""
    digest = await store.find_decided_digest(tx, subject_id, decision_id)
    assert digest is not None, "a decision names a version, and versions stay"
    return (await programmes_by_digest(tx, [digest]))[digest]


async def get_version(tx: ReadTx, *, programme_code: str, version: int) -> Programme:
    """Return a version that something was made under."""
    digest = await programme_store.find_version_digest(tx, programme_code, version)
    assert digest is not None, "versions stay"
    return (await programmes_by_digest(tx, [digest]))[digest]

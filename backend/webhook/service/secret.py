"""The secrets of an endpoint, sealed for the service and bound to their place."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from backend.kit.crypto import Vault
from backend.webhook.rules.endpoint import Secret


def sealed(vault: Vault, endpoint_id: UUID, secrets: Sequence[Secret]) -> bytes:
    """Seal secrets for one endpoint: copied to another row they don't open."""
    return vault.seal_service(msgspec.msgpack.encode(list(secrets)), aad=_place(endpoint_id))


def unsealed(vault: Vault, endpoint_id: UUID, content: bytes) -> list[Secret]:
    """Open the secrets of an endpoint, newest first; raises SealBroken."""
    plain = vault.unseal_service(content, aad=_place(endpoint_id))
    return msgspec.msgpack.decode(plain, type=list[Secret])


def _place(endpoint_id: UUID) -> str:
    return f"webhook_endpoint|secrets_sealed|{endpoint_id}"

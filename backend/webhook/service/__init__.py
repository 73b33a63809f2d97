"""The webhook room's verbs."""

from backend.webhook.service.delivery import (
    get_delivery,
    list_deliveries,
    purge,
    replay,
)
from backend.webhook.service.endpoint import (
    Added,
    add_endpoint,
    get_endpoint,
    list_endpoints,
    list_secrets,
    pause,
    remove,
    resume,
    rotate_secret,
    shown_secret_of,
)
from backend.webhook.service.message import MESSAGE_TOPIC, emit_message, fan_out
from backend.webhook.service.operating import (
    partner_id_of,
    replay_as_operator,
    set_resting,
)
from backend.webhook.service.proving import probe, probe_due, verify
from backend.webhook.service.sending import Sent, claim, conclude

__all__ = [
    "MESSAGE_TOPIC",
    "Added",
    "Sent",
    "add_endpoint",
    "claim",
    "conclude",
    "emit_message",
    "fan_out",
    "get_delivery",
    "get_endpoint",
    "list_deliveries",
    "list_endpoints",
    "list_secrets",
    "partner_id_of",
    "pause",
    "probe",
    "probe_due",
    "purge",
    "remove",
    "replay",
    "replay_as_operator",
    "resume",
    "rotate_secret",
    "set_resting",
    "shown_secret_of",
    "verify",
]

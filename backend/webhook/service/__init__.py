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
    pause,
    remove,
    resume,
    rotate_secret,
    shown_secret_of,
)
from backend.webhook.service.message import MESSAGE_TOPIC, emit_message, fan_out
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
    "pause",
    "probe",
    "probe_due",
    "purge",
    "remove",
    "replay",
    "resume",
    "rotate_secret",
    "shown_secret_of",
    "verify",
]

"""The webhook room's verbs."""

from backend.webhook.service.message import emit_message

__all__ = ["emit_message"]

"""The composition root: the only place that knows every room, and wires them together.

`house` opens what a process stands on, `wiring` lets rooms reach what lies above them, `handlers`
says who follows which topic of the outbox, `http` puts the HTTP application on top of it.
"""

from backend.app.handlers import event_handlers
from backend.app.house import House, open_desk, open_house, open_vault
from backend.app.http import build_app, health_checks
from backend.app.wiring import Participation, ProgrammeDetails

__all__ = [
    "House",
    "Participation",
    "ProgrammeDetails",
    "build_app",
    "event_handlers",
    "health_checks",
    "open_desk",
    "open_house",
    "open_vault",
]

"""The citizen's way in over HTTP, and the own account."""

from backend.citizen.api import me, sign_in

ROUTES = [*sign_in.ROUTES, *me.ROUTES]

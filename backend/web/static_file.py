"""The style sheet and the icon: kept by browsers for ever, under an address with their hash."""

from litestar import Response, get
from litestar.params import FromPath

from backend.access.guard import public
from backend.kit.problem import Refusal
from backend.web.render import STATIC_FILES


@get(
    "/static/{name:str}",
    operation_id="web_static_show",
    guards=[public("the style sheet and the icon hold nothing of anybody's")],
    include_in_schema=False,
)
async def show_static(name: FromPath[str]) -> Response[bytes]:
    """Return a static file from memory."""
    file = STATIC_FILES.get(name)
    if file is None:
        raise Refusal("not_found")
    return Response(
        file.content,
        media_type=file.media_type,
        headers={
            # The hash in the address changes with the content, so the content never changes.
            "Cache-Control": "public, max-age=31536000, immutable",
            "Cross-Origin-Resource-Policy": "same-origin",
        },
    )


ROUTES = [show_static]

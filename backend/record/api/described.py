"""What the framework's description can't know of bodies that are files."""

from dataclasses import dataclass

from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    RequestBody,
    Schema,
)

from backend.record.rules.upload import MEDIA_TYPES

CSV = "text/csv"


@dataclass
class FileOperation(Operation):
    """An operation that takes a file as its body."""

    def __post_init__(self) -> None:
        """Describe the body: lines, in any of the forms that are read."""
        lines = Schema(
            type=OpenAPIType.STRING,
            description="The lines of the file, at most 512 MiB and 1,000,000 lines.",
        )
        self.request_body = RequestBody(
            required=True,
            content={name: OpenAPIMediaType(schema=lines) for name in MEDIA_TYPES},
        )


@dataclass
class FaultsOperation(Operation):
    """An operation that answers as a page, or with everything as CSV."""

    def __post_init__(self) -> None:
        """Describe the second form of the answer."""
        answer = (self.responses or {}).get("200")
        content = getattr(answer, "content", None)
        assert content is not None, "the page is described by the handler"
        content[CSV] = OpenAPIMediaType(
            schema=Schema(
                type=OpenAPIType.STRING,
                description="line, column, code, message and content of every fault, in UTF-8.",
            )
        )

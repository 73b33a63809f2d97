"""Reads the documents commands are given: catalogues, scorecards, programmes."""

from pathlib import Path

from backend.cli.environment import Fault


def read_document(file: Path) -> str:
    """Return the text of a file in UTF-8; raises Fault for one that is something else.

    Without the mark at its beginning that editors on Windows write: no document begins with it.
    """
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise Fault(f"{file} is not a text file in UTF-8") from None

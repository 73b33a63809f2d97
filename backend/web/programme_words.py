"""The names and terms of programmes, in the words of their documents."""

import msgspec

from backend.kit.postgres import ReadTx
from backend.programme import service as programme
from backend.programme.rules.document import Document
from backend.web.words import Text


class ProgrammeWords(msgspec.Struct, frozen=True):
    """What a programme is called, what everybody gets and what it grants beyond that."""

    name: Text
    baseline: Text
    benefit: Text


def words_of_document(document: Document) -> ProgrammeWords:
    """Return the words of a programme document."""
    return ProgrammeWords(
        name=Text(document.name_zh, document.name_en),
        baseline=Text(document.baseline_zh, document.baseline_en),
        benefit=Text(document.benefit_zh, document.benefit_en),
    )


async def programme_words(tx: ReadTx) -> dict[str, ProgrammeWords]:
    """Return the words of every programme in its version in force, by code."""
    published = await programme.list_programmes(tx)
    documents = [each.programme.document for each in published]
    return {document.code: words_of_document(document) for document in documents}


def name_of(words: dict[str, ProgrammeWords], code: str) -> Text:
    """Return the name of a programme; a code nobody knows any more is shown as it is."""
    found = words.get(code)
    return Text(code, code) if found is None else found.name

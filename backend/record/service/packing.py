"""Chunks made ready for the database before their transaction begins, and before their turn."""

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

import msgspec

from backend.kit.crypto import Vault
from backend.record.rules import submission as submission_rules
from backend.record.rules.catalogue import RecordClass
from backend.record.rules.layout import Layout
from backend.record.rules.life import fingerprints_of
from backend.record.rules.row import PEOPLE_REMEMBERED
from backend.record.rules.submission import CHUNK_LINES, Chunk, Submission
from backend.record.store.packed import RecordPieces


class Subject(NamedTuple):
    """Somebody a line is about; the id also as events write it, and as COPY does."""

    subject_id: UUID
    text: str
    piece: bytes


class PackedChunk(msgspec.Struct, frozen=True):
    """A chunk with all that can be worked out of its rows ahead; lists are parallel to them.

    `everybody` are the ids in it as text, each once, in order; `pieces` are for rows that go in as
    they came, see `RecordPieces`.
    """

    chunk: Chunk
    subjects: list[Subject]
    everybody: list[str]
    fingerprints: list[bytes]
    pieces: list[bytes]


class Packer:
    """Packs the chunks of one submission: a person in many of its lines is digested once."""

    def __init__(self, submission: Submission, vault: Vault) -> None:
        self._submission = submission
        self._vault = vault
        self._pieces = RecordPieces()
        self._subjects: dict[str, Subject] = {}

    def pack(self, chunk: Chunk) -> PackedChunk:
        """Give the rows of a chunk their subject, and what stands for their content."""
        rows = chunk.rows
        if len(self._subjects) >= PEOPLE_REMEMBERED:
            self._subjects.clear()
        people = set(rows.national_ids)
        for national_id in people.difference(self._subjects):
            subject_id = self._vault.subject_id(national_id)
            piece = self._pieces.of_subject(subject_id)
            self._subjects[national_id] = Subject(subject_id, str(subject_id), piece)
        subjects = list(map(self._subjects.__getitem__, rows.national_ids))
        fingerprints = fingerprints_of(
            self._submission.class_code,
            self._submission.source_code,
            zip(rows.external_ids, rows.versions, rows.quantities, rows.days, strict=True),
        )
        pieces = self._pieces.of_records(
            list(map(attrgetter("piece"), subjects)), rows, fingerprints
        )
        everybody = sorted([self._subjects[each].text for each in people])
        return PackedChunk(chunk, subjects, everybody, fingerprints, pieces)


def read_packed(
    blocks_from: Callable[[int], Iterable[bytes]],
    submission: Submission,
    *,
    layout: Layout,
    record_class: RecordClass,
    vault: Vault,
    lines_max: int = CHUNK_LINES,
) -> Iterator[PackedChunk]:
    """Read a file on from where its submission stands; see `rules.submission.read_file`.

    Reads and packs as it is asked: what asks decides in which thread.
    """
    packer = Packer(submission, vault)
    chunks = submission_rules.read_file(
        blocks_from, submission, layout=layout, record_class=record_class, lines_max=lines_max
    )
    return map(packer.pack, chunks)

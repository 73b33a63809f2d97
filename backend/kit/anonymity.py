"""Numbers about people, as others may know them: k-anonymous, with complementary suppression.

Product line 12: nobody sees a count that stands for 1 to k - 1 people, nor one from which such a
count follows. Two rules together hold that for every table made from the same people:

- A cell of 1 to k - 1 people is not published. If what is not published adds up to fewer than k
  people, or is one cell alone, so that the total gives it away, the next smallest goes with it.
- What is published is told in whole k's, rounded down. Two tables of the same people (a group and
  a part of it, before and after, one way of dividing and another) differ by whole k's only: a
  difference never stands for a few people.

Where whoever reads also says who is counted, and may say it again a little differently, a third
one is needed: a number on the edge of a whole k would tip by one person whom they add. There each
group is blurred by who is in it (`People`), and none is told from a few.
"""

from collections.abc import Sequence

K = 20


class People:
    """A group that is counted, and by how much its number is blurred.

    Everybody has a mark, a large number that nobody can foresee; the group's blur, 0 to k - 1,
    comes from the marks of all. The same people are always blurred alike, so that asking again
    tells nothing, and with one person more or less it is drawn anew: no edge can be found.
    """

    def __init__(self, count: int = 0, mark: int = 0) -> None:
        self.count, self._mark = count, mark

    def add(self, mark: int) -> None:
        """Count one person more."""
        self.count, self._mark = self.count + 1, self._mark ^ mark

    def without(self, part: "People") -> "People":
        """Return the rest of a group."""
        assert part.count <= self.count, "a part of a group"
        return People(self.count - part.count, self._mark ^ part._mark)

    def and_also(self, other: "People") -> "People":
        """Return two groups that share nobody as one."""
        return People(self.count + other.count, self._mark ^ other._mark)

    @property
    def is_few(self) -> bool:
        """Whether they are too few to be told; nobody at all is few as well."""
        return self.count - self._blur < K

    @property
    def told(self) -> int:
        """The number as it may be told if they aren't few: up or down to a whole k."""
        return told(self.count + self._blur)

    @property
    def _blur(self) -> int:
        return self._mark % K


def told(count: int) -> int:
    """Return a number of people as it may be told: in whole k's, rounded down."""
    assert count >= 0, "a number of people"
    return count // K * K


def tell(counts: Sequence[int]) -> list[int | None]:
    """Return the cells of a table that divides people, as they may be published.

    Each person stands in one cell. None: not published. An empty cell is told as 0.
    """
    assert all(count >= 0 for count in counts), "numbers of people"
    kept = {place for place, count in enumerate(counts) if not 0 < count < K}
    while not _is_hidden(counts, kept):
        # The smallest that holds anybody; of equals the first. An empty one would hide nothing.
        largest_first = sorted(kept, key=lambda place: (-counts[place], -place))
        kept.remove(next(place for place in reversed(largest_first) if counts[place]))
    return [told(count) if place in kept else None for place, count in enumerate(counts)]


def _is_hidden(counts: Sequence[int], kept: set[int]) -> bool:
    """Say whether what is not published can't be worked out, or whether nothing more can go."""
    gone = [counts[place] for place in range(len(counts)) if place not in kept]
    if not gone or not any(counts[place] for place in kept):
        return True
    return len(gone) > 1 and sum(gone) >= K


def tell_part(part: int, whole: int) -> int | None:
    """Return how many of a group have something, as it may be told; None if that is too few.

    Too few that have it, and too few that do not: of a group of 100, 95 are as telling as 5.
    """
    assert 0 <= part <= whole, "a part of a group"
    return None if 0 < part < K or 0 < whole - part < K else told(part)


def tell_blurred(part: People, whole: People) -> int | None:
    """Return how many of a group have something, where the reader has said what; None if few.

    Nobody and everybody are kept back like a few: "none" and "one" would tell of the one.
    """
    return None if part.is_few or whole.without(part).is_few else part.told

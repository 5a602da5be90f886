"""Candidates on disk, by the hash of their text: equal texts meet, however far apart they were said.

Memory is bounded: while they are collected nothing is kept, and afterwards one bucket at a time is in memory. The order
in which they come out is that of their hashes, whatever order the lines came in.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from harness.core.text_encoding import lowered
from harness.emoji.clean_text import Candidate

# macOS allows a process 256 open files.
_BUCKETS: Final = 64
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True)
class Distinct:
    """A text that was said ``times`` times; ``digest`` is that of its lower case, in hexadecimal."""

    digest: str
    candidate: Candidate
    times: int


class Buckets:
    """A context manager: ``add`` all, then read ``distinct`` as often as needed; ``folder`` is the caller's."""

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / f"{number:02x}.tsv" for number in range(_BUCKETS)]
        self._files: list[IO[str]] = []

    def __enter__(self) -> Buckets:
        self._files = [path.open("w", encoding="utf-8", newline="\n") for path in self._paths]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def add(self, candidate: Candidate) -> None:
        digest = text_digest(candidate.text)
        file = self._files[int(digest[:2], 16) % _BUCKETS]
        # A cleaned text holds neither tab nor line end, and an emoji no space.
        file.write(f"{digest}\t{candidate.text}\t{' '.join(candidate.labels)}\n")

    def distinct(self) -> Iterator[Distinct]:
        """Each text once, sorted by digest within a bucket.

        Texts that differ only in case are the same text. Of different emoji for one text the most frequent count; of
        equally frequent ones, and of different cases, the first by code point.
        """
        self._close()
        for path in self._paths:
            lines = path.read_text("utf-8").split("\n")[:-1]
            lines.sort()
            for digest, same in groupby((line.split("\t") for line in lines), key=lambda fields: fields[0]):
                group = list(same)
                votes = Counter(labels for _, _, labels in group)
                labels = min(votes, key=lambda labels: (-votes[labels], labels))
                yield Distinct(digest, Candidate(group[0][1], tuple(labels.split(" "))), len(group))

    def _close(self) -> None:
        for file in self._files:
            file.close()


def text_digest(text: str) -> str:
    """What equal texts have in common: a hash of ``text`` in lower case."""
    return hashlib.blake2b(lowered(text).encode(), digest_size=_DIGEST_BYTES).hexdigest()

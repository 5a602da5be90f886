"""A part's texts as numbers on disk, mapped into memory: millions of them need none of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.emoji_data import Part
from harness.core.text_encoding import encode_texts
from harness.emoji.dataset import Dataset, Example
from harness.errors import InputError

_AT_ONCE: Final = 4096


@dataclass(frozen=True)
class Encoded:
    """``texts`` is ``[n, length]`` uint16, mapped from ``path``; ``labels`` is ``[n]`` int32."""

    path: Path
    texts: NDArray[np.uint16]
    labels: NDArray[np.int32]

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def encode_part(dataset: Dataset, part: Part, folder: Path) -> Encoded:
    """Write the texts of ``part`` as numbers into ``folder``.

    Raises:
        InputError: the part is damaged, or has other texts than were prepared.
    """
    path = folder / f"encoded-{part.value}.npy"
    count = dataset.preparation.count(part)
    if count < 1:
        raise InputError(
            f"the {part.value} part has no texts",
            where=str(dataset.folder),
            next_step="Prepare more texts, with shares of --validation and --test above 0.",
        )
    shape = (count, dataset.encoding.length)
    texts: Any = np.lib.format.open_memmap(path, "w+", np.uint16, shape)
    labels = np.empty(count, np.int32)
    done = 0
    for batch in _batches(dataset.examples(part)):
        end = done + len(batch)
        if end <= count:
            texts[done:end] = encode_texts([example.text for example in batch], dataset.encoding)
            labels[done:end] = [example.label for example in batch]
        done = end
    if done != count:
        raise InputError(
            f"has {done} lines, and {count} were prepared",
            where=str(dataset.folder / part.file_name),
            next_step="Prepare the texts again: harness emoji prepare.",
        )
    texts.flush()
    return Encoded(path, np.load(path, mmap_mode="r"), labels)


def _batches(examples: Iterator[Example]) -> Iterator[list[Example]]:
    while batch := list(islice(examples, _AT_ONCE)):
        yield batch

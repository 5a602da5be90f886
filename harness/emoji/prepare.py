"""Texts with emoji to a folder of examples; see ``dataset`` for what stands in it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from harness.core.emoji_data import LabelCount, Part, Preparation, PreparationSettings
from harness.core.text_encoding import TextEncoding, lowered
from harness.emoji.buckets import Buckets
from harness.emoji.clean_text import Skip, candidate
from harness.emoji.dataset import ALPHABET, LABELS, PREPARATION, read_labels
from harness.errors import InputError

_FILES: Final = (LABELS, ALPHABET, *(part.file_name for part in Part))


def prepare(
    texts: Iterable[str | Skip],
    folder: Path,
    settings: PreparationSettings,
    *,
    labels_file: Path | None = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Preparation:
    """Write the examples of ``texts`` into ``folder``, which appears when it is complete and replaces an older one.

    ``labels_file`` fixes the labels; without it they are the ``most_labels`` emoji that stand in the most texts.
    The memory needed does not grow with the number of texts up to some ten millions.

    Raises:
        InputError: no text can be learnt from, all have the same emoji, or ``folder`` holds something else.
    """
    fixed = read_labels(labels_file) if labels_file else None
    _refuse_foreign(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder, so that the final rename stays on one file system.
    with tempfile.TemporaryDirectory(prefix=".preparing-", dir=folder.parent) as scratch:
        built = Path(scratch) / "built"
        built.mkdir()
        buckets_folder = Path(scratch) / "buckets"
        buckets_folder.mkdir()
        with Buckets(buckets_folder) as buckets:
            on_stage("Reading texts")
            skipped = _collect(texts, buckets, settings)
            on_stage("Counting emoji")
            labels = fixed or _most_frequent(buckets, settings.most_labels)
            _check_labels(labels, skipped)
            on_stage("Writing examples")
            if fixed:
                settings = settings.model_copy(update={"fixed_labels": True, "most_labels": len(fixed)})
            preparation = _write(buckets, labels, built, settings, skipped)
        _refuse_one_class(preparation)
        (built / PREPARATION).write_text(preparation.model_dump_json(indent=1) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(Path(scratch) / "replaced")
        built.rename(folder)
    return preparation


def part_of(digest: str, settings: PreparationSettings) -> Part:
    """By the text and the seed alone: more texts, or another order, move no text to another part."""
    salted = hashlib.blake2b(bytes.fromhex(digest), digest_size=8, key=settings.seed.to_bytes(8, "little"))
    place = int.from_bytes(salted.digest(), "little") / 2**64
    if place < settings.test_share:
        return Part.TEST
    return Part.VALIDATION if place < settings.test_share + settings.validation_share else Part.TRAIN


def _collect(texts: Iterable[str | Skip], buckets: Buckets, settings: PreparationSettings) -> Counter[Skip]:
    skipped: Counter[Skip] = Counter()
    for text in texts:
        found = (
            text
            if isinstance(text, Skip)
            else candidate(
                text,
                keep_skin_tones=settings.keep_skin_tones,
                only_one_emoji=settings.several == "skip",
            )
        )
        if isinstance(found, Skip):
            skipped[found] += 1
        else:
            buckets.add(found)
    return skipped


def _most_frequent(buckets: Buckets, most: int) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    for distinct in buckets.distinct():
        counts.update(distinct.candidate.labels)
    return tuple(sorted(counts, key=lambda label: (-counts[label], label))[:most])


def _check_labels(labels: Sequence[str], skipped: Counter[Skip]) -> None:
    if len(labels) > 1:
        return
    said = ", ".join(f"{count} {reason}" for reason, count in skipped.most_common(3))
    if labels:
        raise InputError(
            f"every text has the same emoji, {labels[0]}: there is nothing to choose between",
            next_step="Give texts with at least two different emoji.",
        )
    raise InputError(
        f"no text has an emoji and words beside it ({said or 'there are no lines'})",
        next_step="Give short texts that contain emoji, one a line in UTF-8, or JSON lines with a key text.",
    )


def _refuse_one_class(preparation: Preparation) -> None:
    for part in Part:
        filled = sum(getattr(label, part.value) > 0 for label in preparation.labels)
        wanted = {
            Part.TRAIN: True,
            Part.VALIDATION: preparation.settings.validation_share > 0,
            Part.TEST: preparation.settings.test_share > 0,
        }[part]
        least = 2 if part is Part.TRAIN else 1
        if wanted and filled < least:
            raise InputError(
                f"the {part} part has texts of {filled} of {len(preparation.labels)} labels: {preparation.kept} texts "
                "are too few",
                next_step="Give more texts, or other labels.",
            )


@dataclass
class _Counts:
    parts: dict[Part, Counter[str]] = field(default_factory=lambda: {part: Counter() for part in Part})
    characters: Counter[str] = field(default_factory=Counter)
    cut: int = 0


def _write(
    buckets: Buckets,
    labels: Sequence[str],
    built: Path,
    settings: PreparationSettings,
    skipped: Counter[Skip],
) -> Preparation:
    counts = _Counts()
    known = frozenset(labels)
    with ExitStack() as files:
        parts = {
            part: files.enter_context((built / part.file_name).open("w", encoding="utf-8", newline="\n"))
            for part in Part
        }
        for distinct in buckets.distinct():
            label = next((label for label in distinct.candidate.labels if label in known), None)
            if label is None:
                skipped[Skip.OUTSIDE] += distinct.times
                continue
            if distinct.times > 1:
                skipped[Skip.DUPLICATE] += distinct.times - 1
            part = part_of(distinct.digest, settings)
            _write_example(parts[part], distinct.candidate.text, label)
            counts.parts[part][label] += 1
            counts.cut += len(distinct.candidate.text) > settings.length
            if part is Part.TRAIN:
                counts.characters.update(lowered(distinct.candidate.text))
    encoding = _encoding(counts.characters, settings)
    (built / LABELS).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    (built / ALPHABET).write_text(encoding.model_dump_json(indent=1) + "\n", encoding="utf-8")
    in_alphabet = frozenset(encoding.alphabet)
    kept = sum(counter.total() for counter in counts.parts.values())
    return Preparation(
        settings=settings,
        lines=kept + skipped.total(),
        kept=kept,
        skipped={reason.value: count for reason, count in skipped.most_common()},
        cut=counts.cut,
        unknown_characters=sum(
            count for character, count in counts.characters.items() if character not in in_alphabet
        ),
        characters=counts.characters.total(),
        labels=tuple(
            LabelCount(label=label, **{part.value: counts.parts[part][label] for part in Part})
            for label in labels
        ),
        sha256={name: _sha256(built / name) for name in _FILES},
    )


def _write_example(file: IO[str], text: str, label: str) -> None:
    file.write(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n")


def _encoding(characters: Counter[str], settings: PreparationSettings) -> TextEncoding:
    """The characters said most in the texts to train on, in the order of their code points."""
    ranked = sorted(characters, key=lambda character: (-characters[character], character))
    return TextEncoding(
        alphabet="".join(sorted(ranked[: settings.most_characters])) or " ", length=settings.length
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_foreign(folder: Path) -> None:
    if folder.is_dir() and (not any(folder.iterdir()) or (folder / PREPARATION).is_file()):
        return
    if folder.exists():
        raise InputError(
            "is there and holds no prepared texts, so it is not replaced",
            where=str(folder),
            next_step="Name a new folder with --output.",
        )

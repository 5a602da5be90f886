"""Text workloads: what reaches the model, what is left out and counted, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.jobs import MOST_KEYSTROKES, CharacterEncoding
from harness.core.text_encoding import TextEncoding, encode_texts
from harness.core.workload import Task
from harness.errors import WorkloadError
from harness.wire.blobs import BlobStore
from harness.workloads.loaded import LoadedWorkload
from harness.workloads.text_files import LONGEST_LINE_BYTES, read_text_encoding
from harness.workloads.texts import TextCalibrationSpec, TextWorkloadSpec, load_texts

RULE = TextEncoding(alphabet="abcdefghijklmnopqrstuvwxyz !", length=12)
LABELS = ("❤️", "😂", "🏳️‍🌈", "👍🏽")


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "cache")


class Desk:
    """A folder of labels and texts, and the workload that is loaded from it."""

    def __init__(self, folder: Path, store: BlobStore) -> None:
        self.folder, self.store = folder, store
        (folder / "labels.txt").write_text("\n".join(LABELS) + "\n", encoding="utf-8")

    def write(self, name: str, lines: list[Any] | bytes) -> str:
        content = (
            lines if isinstance(lines, bytes) else "".join(f"{json.dumps(one)}\n" for one in lines).encode()
        )
        (self.folder / name).write_bytes(content)
        return str(self.folder / name)

    def load(self, inputs: str, **given: Any) -> LoadedWorkload:
        spec = {"labels": str(self.folder / "labels.txt"), "encoding": RULE} | given
        return load_texts(TextWorkloadSpec(inputs=inputs, **spec), self.store)


@pytest.fixture
def desk(tmp_path: Path, store: BlobStore) -> Desk:
    folder = tmp_path / "texts"
    folder.mkdir()
    return Desk(folder, store)


def left_out(loaded: LoadedWorkload) -> dict[str, int]:
    return {skipped.reason: skipped.count for skipped in loaded.skipped}


def test_texts_become_their_numbers_once(desk: Desk) -> None:
    texts = ["i love it", "HA HA", "שלום", "a\u200db", "one that is longer than twelve"]
    path = desk.write("t.jsonl", [{"text": text, "label": LABELS[i % 4]} for i, text in enumerate(texts)])
    loaded = desk.load(path)
    workload = loaded.workload
    assert workload.task is Task.TEXT_CLASSIFICATION and loaded.skipped == ()
    assert [(one.name, one.truth) for one in workload.inputs] == list(
        zip(texts, [0, 1, 2, 3, 0], strict=True)
    )
    assert workload.encoding == CharacterEncoding.of(RULE)
    records = np.frombuffer(desk.store.path(workload.records).read_bytes(), "<i4").reshape(-1, 12)
    assert records.tolist() == encode_texts(texts, RULE).tolist()
    assert workload.labels == LABELS


def test_a_text_file_has_one_text_a_line_and_no_labels(desk: Desk) -> None:
    path = desk.write("t.txt", b"\xef\xbb\xbffirst one\r\nsecond\n\n  \nthird")
    workload = desk.load(path).workload
    assert [(one.name, one.truth) for one in workload.inputs] == [
        ("first one", None),
        ("second", None),
        ("third", None),
    ]


def test_what_cannot_be_used_is_counted_by_reason(desk: Desk) -> None:
    lines = [
        b'{"text": "good", "label": "\xe2\x9d\xa4\xef\xb8\x8f"}',
        b'{"text": "", "label": null}',
        b'{"text": " \\u200b\\u202e\\u200d"}',
        b'{"text": "half \\ud83d of it"}',
        b'{"text": "who", "label": "\xf0\x9f\xa6\x84"}',
        b'{"text": "who", "label": 4}',
        b'{"text": "who", "label": true}',
        b'{"label": 1}',
        b'["text"]',
        b'{"text": "cut of',
        b"[" * 5000,
        b'{"text": "latin \xe9"}',
        b'{"text": "' + b"x" * LONGEST_LINE_BYTES + b'"}',
        b'{"text": "good!", "label": 3}',
    ]
    loaded = desk.load(desk.write("t.jsonl", b"\n".join(lines)))
    assert [(one.name, one.truth) for one in loaded.workload.inputs] == [("good", 0), ("good!", 3)]
    assert left_out(loaded) == {
        "are empty or show nothing (lines 2, 3)": 2,
        "have half of a surrogate pair (line 4)": 1,
        "have a label that is none of the model's (lines 5, 6, 7)": 3,
        'have no "text" (lines 8, 9)': 2,
        "are no JSON (lines 10, 11)": 2,
        "are not UTF-8 (line 12)": 1,
        "are longer than 64 KiB (line 13)": 1,
    }


def test_a_text_that_reaches_the_model_as_another_counts_once_for_each_label(desk: Desk) -> None:
    entries = [
        {"text": "so it is then, a", "label": LABELS[0]},
        {"text": "SO IT IS THEN; b", "label": LABELS[0]},
        {"text": "so it is then, a", "label": LABELS[1]},
        {"text": "so it is then, a"},
    ]
    loaded = desk.load(desk.write("t.jsonl", entries))
    assert [one.truth for one in loaded.workload.inputs] == [0, 1, None]
    assert left_out(loaded) == {"reach the model as an earlier text does (line 2)": 1}


def test_files_of_a_folder_are_read_in_order(desk: Desk) -> None:
    (desk.folder / "in").mkdir()
    desk.write("in/b.txt", b"second\n")
    desk.write("in/a.jsonl", [{"text": "first"}])
    desk.write("in/.hidden.txt", b"never\n")
    desk.write("in/c.md", b"never\n")
    assert [one.name for one in desk.load(str(desk.folder / "in")).workload.inputs] == ["first", "second"]
    assert [one.name for one in desk.load(str(desk.folder / "in/*.txt")).workload.inputs] == ["second"]


def test_calibration_is_held_out_by_seed_and_text(desk: Desk) -> None:
    texts = [f"text {chr(97 + i)}" for i in range(20)]
    path = desk.write("t.jsonl", [{"text": text} for text in texts])
    loaded = desk.load(path, calibration=TextCalibrationSpec(hold_out=6), seed=3)
    workload = loaded.workload
    assert workload.calibration is not None and workload.calibration_count == 6
    samples = np.load(desk.store.path(workload.calibration), allow_pickle=False)
    assert (samples.dtype, samples.shape) == (np.dtype("<i4"), (6, 12))
    evaluated = {row.tobytes() for row in encode_texts([one.name for one in workload.inputs], RULE)}
    assert len(evaluated) == 14 and not evaluated & {row.tobytes() for row in samples}
    fewer = desk.load(
        desk.write("u.jsonl", [{"text": text} for text in reversed(texts[:-1])]),
        calibration=TextCalibrationSpec(hold_out=5),
        seed=3,
    )
    # Whoever is held out stays so when texts come and go.
    assert sum(one.name in {kept.name for kept in workload.inputs} for one in fewer.workload.inputs) >= 13


def test_texts_to_type_are_chosen_by_seed_and_fit_one_job(desk: Desk) -> None:
    texts = [f"text {chr(97 + i)}" for i in range(20)] + ["x" * 9_990]
    path = desk.write("t.jsonl", [{"text": text} for text in texts])
    assert desk.load(path).workload.typed == ()
    few = desk.load(path, keystrokes=4, keystroke_pause_ns=5).workload
    assert len(few.typed) == 4 and few.typing_pause_ns == 5 and set(few.typed) <= set(texts)
    assert desk.load(path, keystrokes=4, seed=1).workload.typed != few.typed
    everything = desk.load(path, keystrokes=1000).workload.typed
    assert len(everything) >= 2 and sum(map(len, everything)) <= MOST_KEYSTROKES
    # What is typed is no part of what reaches the model in the timed pass.
    assert few.digest == desk.load(path).workload.digest


def test_calibration_may_not_be_evaluated(desk: Desk) -> None:
    path = desk.write("t.jsonl", [{"text": "one"}, {"text": "two"}])
    other = desk.write("c.jsonl", [{"text": "three"}, {"text": "TWO"}])
    with pytest.raises(WorkloadError, match="as the evaluated text 'two' does") as refusal:
        desk.load(path, calibration=TextCalibrationSpec(inputs=other))
    assert refusal.value.where is not None and refusal.value.where.endswith("c.jsonl:2")
    with pytest.raises(WorkloadError, match="2 texts cannot be held out"):
        desk.load(path, calibration=TextCalibrationSpec(hold_out=2))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.jsonl", b"", "the file is empty"),
        ("t.jsonl", b'{"text": " "}\n', "1 are empty"),
        ("t.txt", "naïve".encode("utf-16"), "are not UTF-8"),
    ],
)
def test_no_text_left_is_an_error_that_says_why(desk: Desk, name: str, content: bytes, words: str) -> None:
    with pytest.raises(WorkloadError, match="no text to evaluate") as refusal:
        desk.load(desk.write(name, content))
    assert words in refusal.value.problem


def test_a_label_without_a_labels_file_is_its_number_or_left_out(desk: Desk) -> None:
    loaded = desk.load(
        desk.write("t.jsonl", [{"text": "a", "label": 2}, {"text": "b", "label": "x"}]), labels=None
    )
    assert [one.truth for one in loaded.workload.inputs] == [2]
    assert left_out(loaded) == {"have a label, and there is no labels file (line 2)": 1}


def test_paths_that_are_not_there(desk: Desk) -> None:
    for given in ("nowhere.jsonl", "no*.txt"):
        with pytest.raises(WorkloadError, match="no such file"):
            desk.load(str(desk.folder / given))
    (desk.folder / "bare").mkdir()
    with pytest.raises(WorkloadError, match="holds no texts"):
        desk.load(str(desk.folder / "bare"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "how texts are encoded"),
        (b'{"alphabet": ""}', "alphabet"),
        (b'{"alphabet": "aa"}', "holds 'a' twice"),
        (b'{"alphabet": "ab", "length": 0}', "length"),
        (b'{"alphabet": "ab", "unknown": 2}', "unknown"),
        (b'{"alphabet": "ab", "what": 2}', "what"),
        (b'{"alphabet": "\\ud83d"}', "how texts are encoded"),
    ],
)
def test_an_alphabet_that_is_none(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "alphabet.json"
    path.write_bytes(content)
    with pytest.raises(WorkloadError) as refusal:
        read_text_encoding(path)
    assert words in refusal.value.problem and refusal.value.where == str(path)


def test_an_alphabet_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "alphabet.json"
    path.write_text(RULE.model_dump_json(), encoding="utf-8")
    assert read_text_encoding(path) == RULE
    with pytest.raises(WorkloadError, match="cannot be read"):
        read_text_encoding(tmp_path / "none.json")

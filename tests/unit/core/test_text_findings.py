"""What is said of a workload of texts."""

from __future__ import annotations

from collections.abc import Sequence

from core_records import SHA, workload

from harness.core.findings import FindingKind, one_class
from harness.core.jobs import Blob, CharacterEncoding
from harness.core.text_findings import text_findings
from harness.core.workload import Task, Workload, WorkloadInput


def texts(given: Sequence[str], length: int = 20) -> Workload:
    return Workload(
        task=Task.TEXT_CLASSIFICATION,
        inputs=tuple(WorkloadInput(name=text, group=str(index)) for index, text in enumerate(given)),
        records=Blob(sha256=SHA, bytes=len(given) * length * 4),
        encoding=CharacterEncoding(shape=(1, length), alphabet="abcdefghijklmnopqrstuvwxyz ", lowercase=True),
    )


def test_texts_that_are_cut_off_are_counted() -> None:
    (found,) = text_findings(texts(["short", "exactly twenty chars", "one more than twenty!", "y" * 40]))
    assert (found.kind, found.severity) == (FindingKind.TEXTS_CUT_OFF, "note")
    assert found.message == "2 of 4 texts are longer than the 20 characters that reach the model"


def test_characters_that_the_alphabet_lacks() -> None:
    assert text_findings(texts(["nine of ten!", "all of it"])) == []
    (found,) = text_findings(texts(["ab", "\u05d0\u05d1", "ab!!"]))
    assert (found.kind, found.severity) == (FindingKind.UNKNOWN_CHARACTERS, "warning")
    assert found.message == (
        "50 % of the texts' characters are not in the alphabet; 1 of 3 texts have none that it knows"
    )


def test_texts_that_no_model_can_tell_apart() -> None:
    (found,) = text_findings(texts(["same", "SAME", "other"]))
    assert (found.kind, found.message.split()[0]) == (FindingKind.TEXTS_ALIKE, "2")


def test_photos_have_no_such_findings() -> None:
    assert text_findings(workload([0, 1])) == []


def test_labels_of_one_class() -> None:
    (found,) = one_class(workload([3, None, 3]))
    assert found.message == "all 2 labelled inputs are of one class, class 3"
    assert one_class(workload([3, 2])) == one_class(workload([3])) == one_class(workload([None, None])) == []

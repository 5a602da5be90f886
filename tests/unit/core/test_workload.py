"""The digest of a workload names what reaches the model."""

from __future__ import annotations

from harness.core.jobs import Blob, PixelEncoding
from harness.core.workload import Task, Workload, WorkloadInput


def _workload(mean: float = 127.0, sha256: str = "a" * 64, labels: tuple[str, ...] | None = None) -> Workload:
    return Workload(
        task=Task.IMAGE_CLASSIFICATION,
        inputs=(WorkloadInput(name="one", group="one"),),
        records=Blob(sha256=sha256, bytes=12),
        encoding=PixelEncoding(shape=(2, 2, 3), mean=(mean,) * 3, scale=(128.0,) * 3),
        labels=labels,
    )


def test_other_bytes_or_another_normalization_is_another_workload() -> None:
    digests = {_workload().digest, _workload(sha256="b" * 64).digest, _workload(mean=0.0).digest}
    assert len(digests) == 3


def test_labels_do_not_reach_the_model() -> None:
    assert _workload(labels=("cat",)).digest == _workload().digest


def test_a_class_without_a_text_is_a_number() -> None:
    assert _workload(labels=("cat",)).label(0) == "cat"
    assert _workload(labels=("cat",)).label(1) == "class 1"
    assert _workload().label(7) == "class 7"

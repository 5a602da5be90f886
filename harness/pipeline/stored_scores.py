"""The class scores of a stored run, the reference's and a variant's, a piece at a time.

Files are mapped and only some rows of them are ever in memory, however many inputs ran.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.core.agreement import CHUNK_ROWS, ScoreChunk, dequantize
from harness.core.events import TensorInfo
from harness.core.joblog import JobLog, described
from harness.core.model_io import same_tensor
from harness.errors import RunError
from harness.store import RunFolder
from harness.wire.job_folder import job_folder, read_output_records


class StoredScores:
    """Reads scores of the run in ``folder``."""

    def __init__(self, folder: RunFolder, input_count: int, output_name: str) -> None:
        """``output_name``: which of several outputs is compared.

        Raises:
            RunError: the reference outputs are missing or damaged.
        """
        self._folder = folder
        self._input_count = input_count
        self._output_name = output_name
        self._reference = self._mapped_reference()

    def _mapped_reference(self) -> NDArray[np.float32]:
        reference = self._folder.reference()
        path = self._folder.blobs.path(reference.outputs)
        expected_bytes = self._input_count * reference.classes * 4
        if not self._folder.blobs.has(reference.outputs) or reference.outputs.bytes != expected_bytes:
            raise RunError(
                "the reference outputs are missing or damaged",
                where=str(path),
                next_step="Run the suite again.",
            )
        return np.memmap(path, dtype="<f4", mode="r", shape=(self._input_count, reference.classes))

    def of(self, logs: Sequence[JobLog]) -> Iterator[ScoreChunk] | None:
        """Of finished jobs of one variant, each input once: rounds that ran an input again repeat the same bytes.

        ``None`` where a job has not told yet what the model gives.

        Raises:
            RunError: the variant has no output of that name.
            WireError: an output file is missing or damaged.
        """
        if any(described(log) is None for log in logs):
            return None
        return self._chunks(logs)

    def _chunks(self, logs: Sequence[JobLog]) -> Iterator[ScoreChunk]:
        ran = np.zeros(self._input_count, dtype=bool)
        for log in logs:
            model = described(log)
            assert model is not None
            index = output_index(model.outputs, self._output_name, where=str(self._folder.path))
            path = job_folder(self._folder.path, log.job_id) / "outputs.bin"
            for start in range(0, log.input_count, CHUNK_ROWS):
                rows = slice(start, min(start + CHUNK_ROWS, log.input_count))
                inputs = log.inputs[rows]
                fresh = ~ran[inputs]
                raw = read_output_records(path, model, log.input_count, rows)[index].reshape(len(inputs), -1)
                if not fresh.any():
                    continue
                ran[inputs] = True
                yield ScoreChunk(
                    inputs[fresh],
                    self._reference[inputs[fresh]],
                    dequantize(raw[fresh], model.outputs[index].quantization),
                )


def output_index(outputs: Sequence[TensorInfo], name: str, *, where: str) -> int:
    """Which of a variant's outputs is the source's ``name``: the runtime's order need not be the model's.

    A single output is it whatever it is called, as the conversion of a graph leaves that one. Without a name it is
    the first.

    Raises:
        RunError: none of several outputs has that name.
    """
    if not name or len(outputs) == 1:
        return 0
    for index, tensor in enumerate(outputs):
        if same_tensor(tensor.name, name):
            return index
    raise RunError(
        f"the variants have no output {name!r}, they have {', '.join(tensor.name for tensor in outputs)}",
        where=where,
        next_step="Set model.output in the suite to one of them, and run it again.",
    )

"""One case that a run does not have: a variant run once more on all inputs, somewhere else or in another way."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.agreement import dequantize
from harness.core.events import Event, ModelDescribed
from harness.core.jobs import Job, JobInput, RunSettings, StopRule
from harness.core.runs import JobStatus
from harness.core.variants import Variant
from harness.core.workload import Workload
from harness.errors import TargetError
from harness.pipeline.stored_scores import output_index
from harness.targets.base import Target
from harness.wire.blobs import BlobStore
from harness.wire.job_folder import job_folder, read_output_records, write_job


def run_crossed(
    target: Target,
    variant: Variant,
    workload: Workload,
    store: BlobStore,
    settings: RunSettings,
    output_name: str,
) -> NDArray[np.float32]:
    """The outputs ``[inputs, classes]`` of ``variant`` on ``target``, every input once, run by ``settings``.

    Raises:
        TargetError: the target cannot be used, or the job failed there.
        WireError: ``store`` lacks the model or the records.
    """
    once = StopRule(min_runs=0, min_duration_ns=0)
    with tempfile.TemporaryDirectory(prefix="harness-crossed-") as folder:
        root = Path(folder)
        for blob in (variant.model, *(given.records for given in workload.tensors)):
            store.link_into(blob, root)
        job = Job(
            job_id=f"crossed-{variant.name}",
            variant=variant.name,
            model=variant.model,
            inputs=tuple(
                JobInput(tensor=given.tensor, blob=given.records, encoding=given.encoding)
                for given in workload.tensors
            ),
            first_input=0,
            input_count=len(workload.inputs),
            settings=settings.model_copy(update={"warmup": once, "steady": once, "profile": 0}),
        )
        write_job(root, job)
        described: list[ModelDescribed] = []

        def hear(event: Event) -> None:
            if isinstance(event, ModelDescribed):
                described.append(event)

        outcome = target.run(root, job.job_id, hear)
        if outcome.status is not JobStatus.FINISHED or not described:
            raise TargetError(
                f"{variant.name} did not run on {target.description}: {outcome.problem or 'it told nothing'}",
                next_step=outcome.next_step or "Run 'harness doctor'.",
            )
        outputs = described[-1].outputs
        index = output_index(outputs, output_name, where=variant.name)
        raw = read_output_records(
            job_folder(root, job.job_id) / "outputs.bin", described[-1], job.input_count
        )
        return dequantize(raw[index].reshape(job.input_count, -1), outputs[index].quantization)

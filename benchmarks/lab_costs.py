"""What a lab costs beyond the work: a request, a job, a gigabyte sent to a worker. docs/lab.md sizes one from these."""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable

from benchmarks.pairs import interleaved, spread
from benchmarks.result import Result
from benchmarks.runner_job import write_runner_job
from benchmarks.virtual_phones import write_phone_jobs
from benchmarks.workspace import Workspace
from fixtures.lab import opened_lab
from harness.cluster.connection import Need
from harness.cluster.devices import device_resource
from harness.cluster.messages import Forget
from harness.core.jobs import PixelEncoding
from harness.core.runs import JobStatus
from harness.errors import RunError
from harness.targets.base import Target, Unwatched
from harness.targets.cluster import ClusterTarget
from harness.targets.local import LocalTarget
from harness.wire.job_folder import write_job

_CALLS = 200
_JOBS = 20
_SENT_BYTES = 200_000_000
_TRANSFERS = 3
_IDLE_LIMIT_S = 60.0


def lab_costs(workspace: Workspace) -> list[Result]:
    """One worker on this machine, with TLS, and this machine as its device."""
    with opened_lab(workspace.work / "costs", ("",), start=False) as lab, lab.joined() as cluster:
        lab.start_worker(0, "--cores", "0", "--no-phones")
        (device,) = lab.await_devices()
        need = Need(device_resource(device), "this machine")
        target = ClusterTarget(cluster, device, Unwatched(), idle_limit_s=_IDLE_LIMIT_S)
        request = Forget(session=secrets.token_hex(16), device=need.resource, blobs=())
        calls = [_seconds(lambda: cluster.call(request, need)) * 1000 for _ in range(_CALLS)]
        jobs = _jobs(workspace, target)
        sent = [_sent_s(workspace, target, number) for number in range(_TRANSFERS)]
    return [
        Result(
            name="lab_call",
            figure=statistics.median(calls),
            unit="ms",
            spread=spread(calls, "requests"),
            compared="a request to a worker and its answer, through the scheduler",
        ),
        Result(
            name="lab_job",
            figure=statistics.median(jobs),
            unit="ms",
            spread=spread(jobs, "pairs"),
            compared="a job at a worker, with its blobs sent and its files brought back, less the same job run at once",
        ),
        Result(
            name="lab_gigabyte",
            figure=statistics.median(sent),
            unit="s",
            spread=spread(sent, "transfers"),
            compared=f"a gigabyte sent to a worker, hashes checked, on loopback (from {_SENT_BYTES / 1e6:.0f} MB)",
        ),
    ]


def _jobs(workspace: Workspace, target: ClusterTarget) -> list[float]:
    """Milliseconds that a small job takes longer at the worker."""
    local = LocalTarget(workspace.runner, workspace.runtime, idle_limit_s=_IDLE_LIMIT_S)
    numbers = iter(range(2 * _JOBS))

    def run(where: Target) -> Callable[[], float]:
        def run_one() -> float:
            root = workspace.work / f"lab-job-{next(numbers)}"
            (name,) = write_phone_jobs(root, 1, inputs=20, runs=20)
            return _seconds(lambda: _finish(where, workspace, root.name, name))

        return run_one

    return [pair.difference * 1000 for pair in interleaved(run(target), run(local), _JOBS)]


def _sent_s(workspace: Workspace, target: ClusterTarget, number: int) -> float:
    """Seconds for a gigabyte: a job whose inputs are large, and whose runner refuses them at once."""
    root = workspace.work / f"lab-sent-{number}"
    encoding = PixelEncoding(shape=(1000, 1000, 1), mean=(0.0,), scale=(1.0,))
    records = secrets.token_bytes(_SENT_BYTES)
    model = root / "model"
    root.mkdir()
    model.write_bytes(b"no model")
    job = write_runner_job(root, model, records, encoding, threads=1, warmup=1, runs=1)
    write_job(root, job.model_copy(update={"job_id": "sent"}))
    seconds = _seconds(lambda: _finish(target, workspace, root.name, "sent", JobStatus.REFUSED))
    return seconds * 1e9 / _SENT_BYTES


def _finish(
    target: Target, workspace: Workspace, root: str, name: str, status: JobStatus = JobStatus.FINISHED
) -> None:
    outcome = target.run(workspace.work / root, name, lambda event: None)
    if outcome.status is not status:
        raise RunError(outcome.problem, where=root, next_step=outcome.next_step)


def _seconds(work: Callable[[], object]) -> float:
    started_s = time.monotonic()
    work()
    return time.monotonic() - started_s

"""A run for TensorBoard: each variant a session with its hyperparameters and scalars. Imports no TensorFlow."""

from __future__ import annotations

import statistics
from pathlib import Path

from harness.core.measurements import Measurement
from harness.core.report import RunReport
from harness.errors import UsageError

Scalars = dict[str, float]


def write_tensorboard(report: RunReport, folder: Path) -> list[Path]:
    """Event files below ``folder``, one folder for each measured variant: ``FOLDER/RUN/VARIANT``.

    Raises:
        UsageError: such folders are there already; TensorBoard would show both as one.
    """
    from tensorboardX import SummaryWriter
    from tensorboardX.summary import hparams

    written = []
    seconds = report.plan.created_unix_ns / 1e9
    measured = [result for result in report.results if isinstance(result, Measurement)]
    taken = [one for one in measured if _session(folder, report, one).exists()]
    if taken:
        raise UsageError(
            "is there already",
            where=str(_session(folder, report, taken[0])),
            next_step="Remove it, or name another folder.",
        )
    for one in measured:
        session = _session(folder, report, one)
        scalars = scalars_of(one)
        writer = SummaryWriter(logdir=str(session), write_to_disk=True)
        try:
            for summary in hparams(_hyperparameters(report, one), dict.fromkeys(scalars, 0.0)):
                writer.file_writer.add_summary(summary, walltime=seconds)
            for name, value in scalars.items():
                writer.add_scalar(name, value, global_step=0, walltime=seconds)
            for index, p50_ns in enumerate(one.latency.round_p50_ns):
                writer.add_scalar(
                    "latency/p50_ms_by_round", p50_ns / 1e6, global_step=index, walltime=seconds
                )
        finally:
            writer.close()
        written.append(session)
    return written


def _session(folder: Path, report: RunReport, one: Measurement) -> Path:
    return folder / report.plan.run_id / one.variant.name


def _hyperparameters(report: RunReport, one: Measurement) -> dict[str, str | float]:
    return {
        "variant": one.variant.name,
        "recipe": str(one.variant.recipe),
        "threads": float(one.threads),
        "loading": str(report.plan.settings.loading),
        "device": one.device.model,
        "target_class": str(one.device.target_class),
        "runtime": f"{one.runtime.name} {one.runtime.version}",
    }


def scalars_of(one: Measurement) -> Scalars:
    """Every figure with a name of its own; what was not measured is absent."""
    found: dict[str, float | None] = {
        "agreement/top1": one.agreement.top1.value,
        "agreement/top5": one.agreement.top5.value if one.agreement.top5 else None,
        "agreement/mean_kl_divergence_nats": one.agreement.mean_kl_divergence_nats,
        "agreement/largest_absolute_difference": one.agreement.largest_absolute_difference,
        "accuracy/top1": one.accuracy.variant.value if one.accuracy else None,
        "accuracy/drop": one.accuracy.drop.value if one.accuracy else None,
        "memory/peak_mb": _scaled(one.memory.peak_bytes, 1e6),
        "size/file_mb": one.variant.file_bytes / 1e6,
        "size/compressed_mb": one.variant.compressed_bytes / 1e6,
    }
    for name, estimate in (
        ("p50", one.latency.steady.p50),
        ("p90", one.latency.steady.p90),
        ("p99", one.latency.steady.p99),
    ):
        found[f"latency/{name}_ms"] = _scaled(estimate.value if estimate else None, 1e6)
    for name, durations in (
        ("load", one.latency.load_ns),
        ("compile", one.latency.compile_ns),
        ("first_run", one.latency.first_run_ns),
    ):
        found[f"latency/{name}_ms"] = _scaled(statistics.median(durations) if durations else None, 1e6)
    return {name: float(value) for name, value in found.items() if value is not None}


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit

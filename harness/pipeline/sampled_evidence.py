"""The sequential evidence of a stored run: each finished job is read once, then only what it tells is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.core.joblog import JobLog
from harness.core.runs import JobOutcome, JobStatus
from harness.core.sampling import JobFigures, job_figures, sampled
from harness.core.verdict import SampledEvidence
from harness.core.workload import Workload
from harness.pipeline.stored_scores import StoredScores


class EvidenceReader:
    """Collects what the jobs of an until-decided run tell, as they finish."""

    def __init__(self, scores: StoredScores, workload: Workload) -> None:
        self._scores = scores
        self._workload = workload
        self._jobs: dict[str, dict[str, JobFigures]] = {}

    def add(self, logs: Iterable[JobLog], outcomes: Mapping[str, JobOutcome | None]) -> None:
        """Read the finished ones among ``logs`` that are new.

        Raises:
            WireError: an output file is missing or damaged.
        """
        for log in logs:
            outcome = outcomes.get(log.job_id)
            known = self._jobs.setdefault(log.variant, {})
            if log.job_id in known or outcome is None or outcome.status is not JobStatus.FINISHED:
                continue
            chunks = self._scores.of([log])
            if chunks is not None:
                known[log.job_id] = job_figures(log, chunks, self._workload)

    def evidence(self, end: str = "") -> SampledEvidence:
        """Of all that was read; ``end``: why sampling stopped."""
        variants = {name: sampled(list(jobs.values())) for name, jobs in self._jobs.items() if jobs}
        return SampledEvidence(variants, end)

"""All that a report shows of a run, as one value: what every renderer takes and ``--json`` prints."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.core.chain import Chain
from harness.core.events import TargetClass
from harness.core.findings import Finding
from harness.core.jobs import Count, PositiveCount
from harness.core.measurements import Result
from harness.core.runs import Plan, SamplingEnd, SetAside, SkippedInput
from harness.core.value import Value
from harness.core.verdict import Verdict
from harness.core.workload import Workload


class RunReport(Value):
    """A run, measured and judged. ``results`` are in the order of the suite's variants.

    ``reference_variant`` is the variant that differences are shown from (``float32`` where it was measured).
    ``inference_ns`` is the sum of all invocations, warm-up included; ``measuring_ns`` the wall time of all jobs.
    """

    report_version: Literal[1] = 1
    plan: Plan
    target_description: str
    target_class: TargetClass
    workload: Workload
    reference_engine: str
    skipped_inputs: tuple[SkippedInput, ...]
    results: tuple[Result, ...]
    reference_variant: str | None
    chain: Chain | None = None
    findings: tuple[Finding, ...]
    verdict: Verdict
    sampling_end: SamplingEnd | None = None
    """Of a run that was sampled until decided, once it stopped."""
    set_aside: SetAside | None = None
    """Why the device was given up before all jobs were done; absent: it was not."""
    jobs_done: Count
    jobs_planned: PositiveCount
    measuring_ns: Count = Field(description="wall time of the jobs that ran")
    inference_ns: Count

    @property
    def is_complete(self) -> bool:
        return self.jobs_done == self.jobs_planned

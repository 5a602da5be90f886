"""Where and how the jobs of a suite run."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, field_validator

from harness.core.jobs import MOST_PROFILE_RUNS, Accelerator, Loading, RunSettings, StopRule
from harness.core.runs import SamplingBudget
from harness.core.target_query_parser import is_target_query, parse_target_query
from harness.core.value import Value
from harness.errors import UsageError

_NS = 1_000_000_000


class PhaseSection(Value):
    """``run.warmup`` (for each process) or ``run.steady`` (for each variant, over all rounds)."""

    min_runs: Annotated[int, Field(ge=0)] = 0
    min_seconds: Annotated[float, Field(ge=0)] = 0.0
    max_seconds: Annotated[float, Field(ge=0)] = 0.0

    def stop_rule(self, parts: int) -> StopRule:
        """Its share when the phase is split over ``parts`` processes."""
        return StopRule(
            min_runs=math.ceil(self.min_runs / parts),
            min_duration_ns=math.ceil(self.min_seconds * _NS / parts),
            max_duration_ns=math.ceil(self.max_seconds * _NS / parts),
        )


class UntilDecidedSection(Value):
    """``[run.until_decided]``: sampling goes on until every rule is decided, or one of these is spent."""

    max_rounds: Annotated[int, Field(ge=1, le=10_000)] = 60
    max_seconds: Annotated[float, Field(gt=0, le=30 * 86_400)] = 3600.0
    inputs_per_round: Annotated[int, Field(ge=1)] | None = None

    @property
    def budget(self) -> SamplingBudget:
        return SamplingBudget(
            max_rounds=self.max_rounds,
            max_duration_ns=math.ceil(self.max_seconds * _NS),
            inputs_per_round=self.inputs_per_round,
        )


class RunSection(Value):
    """``[run]``: where and how."""

    target: str = "local"
    rounds: Annotated[int, Field(ge=1, le=1000)] = 5
    seed: int = 0
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    loading: Loading = Loading.MAPPED
    accelerator: Accelerator = Accelerator.NONE
    profile: Annotated[int, Field(ge=0, le=MOST_PROFILE_RUNS)] = 0
    warmup: PhaseSection = PhaseSection(min_runs=3, min_seconds=0.1)
    steady: PhaseSection = PhaseSection(min_runs=50, min_seconds=1.0)
    until_decided: UntilDecidedSection | None = None
    idle_limit_seconds: Annotated[float, Field(gt=0)] = 120.0

    @field_validator("target")
    @classmethod
    def _a_query_reads(cls, target: str) -> str:
        if is_target_query(target):
            try:
                parse_target_query(target)
            except UsageError as error:
                raise ValueError(f"{error}; {error.next_step}") from None
        return target

    @property
    def settings(self) -> RunSettings:
        """What every job of the run is told."""
        return RunSettings(
            threads=self.threads,
            loading=self.loading,
            accelerator=self.accelerator,
            profile=self.profile,
            warmup=self.warmup.stop_rule(1),
            steady=self.steady.stop_rule(self.rounds),
        )

"""A whole suite, and what must hold between its tables."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.core.value import Value
from harness.suite.model import ChainSection, ModelSection
from harness.suite.policy import PolicySection
from harness.suite.run import RunSection
from harness.suite.variants import VariantsSection
from harness.suite.workload import WorkloadSection


class Suite(Value):
    """A whole suite file. Paths in it are relative to the file's folder."""

    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
    model: ModelSection
    workload: WorkloadSection
    chain: ChainSection | None = None
    variants: VariantsSection
    run: RunSection = RunSection()
    policy: PolicySection = PolicySection()

    @model_validator(mode="after")
    def _rules_name_variants_of_the_suite(self) -> Suite:
        names = {spec.name for spec in self.variants.specs}
        unknown = [name for name in self.policy.candidates if name not in names]
        for rule in self.policy.rules:
            unknown += [name for name in rule.applies_to if name not in names]
            if rule.relative_to not in (None, "baseline", *names):
                unknown.append(str(rule.relative_to))
            if rule.relative_to == "baseline" and self.policy.baseline is None:
                raise ValueError("a rule is relative to the baseline, but policy.baseline names none")
        if unknown:
            raise ValueError(f"policy names {unknown[0]!r}, which is not among the variants")
        return self

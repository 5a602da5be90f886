"""The suite file (TOML): what to build, on what inputs, where to run it, and what it must meet.

docs/suite.md describes every key. Errors name the file, the line and the key.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from harness.core.chain import Step
from harness.core.events import TargetClass
from harness.core.jobs import Loading, RunSettings, StopRule
from harness.core.model_io import ModelIO
from harness.core.policy import Metric, Policy, Rule, Unit
from harness.core.preprocessing import Preprocessing
from harness.core.value import Value
from harness.core.variants import Recipe, VariantName, VariantSpec
from harness.core.workload import OutputKind, Task
from harness.errors import SuiteError
from harness.toml_location import line_of_key

V = TypeVar("V", bound=Value)

SUITE_VERSION = 1
LARGEST_SUITE_BYTES = 1024 * 1024
_NS = 1_000_000_000
_BYTES_PER_MB = 1_000_000


class ModelSection(Value):
    """``[model]``: the source model; what of it is fed and compared, where that is not clear."""

    path: str
    input: str = ""
    output: str = ""
    signature: str = ""

    @property
    def io(self) -> ModelIO:
        return ModelIO(input=self.input, output=self.output, signature=self.signature)


class CalibrationSection(Value):
    """``[workload.calibration]``: inputs that integer recipes are calibrated on; never evaluated."""

    inputs: str | None = None
    views: Annotated[int, Field(ge=1, le=1000)] = 1
    hold_out: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _one_way(self) -> CalibrationSection:
        if (self.inputs is None) == (self.hold_out == 0):
            raise ValueError(
                "give either inputs (other files) or hold_out (a number of originals to take out)"
            )
        return self


class WorkloadSection(Value):
    """``[workload]``: inputs, labels, truth."""

    task: Task
    inputs: str
    tensor: str = ""
    labels: str | None = None
    truth: str | None = None
    output: OutputKind = OutputKind.PROBABILITIES
    background_class: bool = False
    views: Annotated[int, Field(ge=1, le=1000)] = 1
    seed: int = 0
    preprocess: Preprocessing | None = None
    calibration: CalibrationSection | None = None

    @model_validator(mode="after")
    def _images_are_preprocessed(self) -> WorkloadSection:
        if self.task is Task.IMAGE_CLASSIFICATION and self.preprocess is None:
            raise ValueError("images need a [workload.preprocess] table with at least size, mean and scale")
        if self.task is Task.TENSORS and self.preprocess is not None:
            raise ValueError("tensors are taken as they are: remove [workload.preprocess]")
        return self


class NamedVariantSection(Value):
    """``[variants.named.NAME]``: a recipe once more, run in another way."""

    recipe: Recipe
    loading: Loading | None = None
    threads: Annotated[int, Field(ge=1, le=64)] | None = None


class VariantsSection(Value):
    """``[variants]``: what to build."""

    recipes: tuple[Recipe, ...] = ()
    named: Annotated[dict[VariantName, NamedVariantSection], Field(default_factory=dict)]

    @property
    def specs(self) -> tuple[VariantSpec, ...]:
        """All variants, in the order of the file; those of ``recipes`` are named by their recipe."""
        plain = tuple(VariantSpec(recipe.value, recipe) for recipe in self.recipes)
        named = (
            VariantSpec(name, section.recipe, section.loading, section.threads)
            for name, section in self.named.items()
        )
        return (*plain, *named)

    @model_validator(mode="after")
    def _there_is_one(self) -> VariantsSection:
        if not self.specs:
            raise ValueError("no variant is asked for: list some in recipes")
        taken = [name for name in self.named if name in {recipe.value for recipe in self.recipes}]
        if taken:
            raise ValueError(f"{taken[0]} is among recipes already: give the named variant another name")
        return self

    @model_validator(mode="after")
    def _each_once(self) -> VariantsSection:
        repeated = {recipe.value for recipe in self.recipes if self.recipes.count(recipe) > 1}
        if repeated:
            raise ValueError(f"{', '.join(sorted(repeated))} is listed twice")
        return self


class ChainSection(Value):
    """``[chain]``: steps that a frozen graph is taken through, its labels checked after each."""

    steps: Annotated[tuple[Step, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _steps_follow_the_source(self) -> ChainSection:
        if Step.SOURCE in self.steps:
            raise ValueError("source is where the chain starts, not a step of it")
        if Step.STRIP in self.steps[1:]:
            raise ValueError("strip comes first: the other steps need the graph between its input and output")
        if Step.MEMORY_MAP in self.steps[:-1]:
            raise ValueError("memory-map comes last: what it writes is no longer a plain graph")
        return self


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


class RunSection(Value):
    """``[run]``: where and how."""

    target: str = "local"
    rounds: Annotated[int, Field(ge=1, le=1000)] = 5
    seed: int = 0
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    loading: Loading = Loading.MAPPED
    warmup: PhaseSection = PhaseSection(min_runs=3, min_seconds=0.1)
    steady: PhaseSection = PhaseSection(min_runs=50, min_seconds=1.0)
    idle_limit_seconds: Annotated[float, Field(gt=0)] = 120.0

    @property
    def settings(self) -> RunSettings:
        """What every job of the run is told."""
        return RunSettings(
            threads=self.threads,
            loading=self.loading,
            warmup=self.warmup.stop_rule(1),
            steady=self.steady.stop_rule(self.rounds),
        )


class RuleSection(Value):
    """One of ``[[policy.rules]]``: a metric and one limit, whose key names the unit."""

    metric: Metric
    min: float | None = None
    max: float | None = None
    max_ms: float | None = None
    max_mb: float | None = None
    max_factor: float | None = None
    relative_to: VariantName | None = None
    applies_to: tuple[VariantName, ...] = ()
    target_class: TargetClass | None = None

    @property
    def _limit_key(self) -> str:
        if self.relative_to is not None:
            return "max_factor"
        if self.metric.is_minimum:
            return "min"
        return {Unit.NANOSECONDS: "max_ms", Unit.BYTES: "max_mb", Unit.PROPORTION: "max"}[self.metric.unit]

    @model_validator(mode="after")
    def _the_limit_fits_the_metric(self) -> RuleSection:
        given = [
            key for key in ("min", "max", "max_ms", "max_mb", "max_factor") if getattr(self, key) is not None
        ]
        if given != [self._limit_key]:
            what = f"{self.metric.value}{' relative to another' if self.relative_to else ''}"
            raise ValueError(
                f"a rule on {what} has one limit, {self._limit_key}; found {', '.join(given) or 'none'}"
            )
        self.rule()
        return self

    def rule(self) -> Rule:
        """The rule in base units (ns, bytes)."""
        limit = float(getattr(self, self._limit_key))
        factor = {"max_ms": 1e6, "max_mb": _BYTES_PER_MB}.get(self._limit_key, 1)
        return Rule(
            metric=self.metric,
            limit=limit * factor,
            relative_to=self.relative_to,
            applies_to=self.applies_to,
            target_class=self.target_class,
        )


class PolicySection(Value):
    """``[policy]``: what a release must meet. ``baseline`` is a run folder or a report written by ``--json``."""

    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    candidates: tuple[VariantName, ...] = ()
    baseline: str | None = None
    rules: tuple[RuleSection, ...] = ()

    @property
    def policy(self) -> Policy:
        return Policy(
            confidence=self.confidence,
            candidates=self.candidates,
            rules=tuple(section.rule() for section in self.rules),
        )


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


def read_suite(path: Path) -> tuple[Suite, str]:
    """The suite in ``path`` and its text, word for word.

    Raises:
        SuiteError: missing, not TOML, of a newer version, or with a wrong key; ``where`` has the line and key.
    """
    text = _read_text(path)
    return parse_suite(text, where=str(path)), text


def parse_suite(text: str, *, where: str) -> Suite:
    """The suite in ``text``; ``where`` names it in errors.

    Raises:
        SuiteError: see ``read_suite``.
    """
    document = _parse_toml(text, where)
    version = document.get("version")
    if isinstance(version, int) and version > SUITE_VERSION:
        raise SuiteError(
            f"version is {version}, and this harness reads version {SUITE_VERSION}",
            where=f"{where}:{line_of_key(text, ('version',))}",
            next_step="Update the harness: pip install --upgrade the package this suite was written for.",
        )
    return _validate(Suite, document, text, where)


def read_policy(path: Path) -> PolicySection:
    """The ``[policy]`` table of a suite or of a file that has only that.

    Raises:
        SuiteError: see ``read_suite``; also when there is no such table.
    """
    text = _read_text(path)
    document = _parse_toml(text, str(path))
    table = document.get("policy")
    if not isinstance(table, dict):
        raise SuiteError("has no [policy] table", where=str(path), next_step="Add one: see docs/suite.md.")
    return _validate(PolicySection, table, text, str(path), prefix=("policy",))


def _read_text(path: Path) -> str:
    next_step = "Name a suite file (TOML); docs/suite.md shows one."
    try:
        if path.stat().st_size > LARGEST_SUITE_BYTES:
            raise SuiteError("is too large for a suite", where=str(path), next_step=next_step)
        text = path.read_text(encoding="utf-8")
    except IsADirectoryError:
        raise SuiteError("is a folder, not a suite file", where=str(path), next_step=next_step) from None
    except OSError as problem:
        raise SuiteError(
            f"cannot be read: {problem.strerror}", where=str(path), next_step=next_step
        ) from None
    except UnicodeDecodeError:
        raise SuiteError("is not UTF-8 text", where=str(path), next_step=next_step) from None
    if not text.strip():
        raise SuiteError("is empty", where=str(path), next_step=next_step)
    return text


def _parse_toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        line = re.search(r"line (\d+)", str(problem))
        raise SuiteError(
            f"is not TOML: {problem}",
            where=f"{where}:{line[1] if line else text.count(chr(10)) + 1}",
            next_step="Mend that line; docs/suite.md shows the format.",
        ) from None


def _validate(
    kind: type[V], document: dict[str, Any], text: str, where: str, prefix: tuple[str, ...] = ()
) -> V:
    try:
        return kind.model_validate_json(json.dumps(document, default=str, allow_nan=True))
    except ValidationError as problem:
        # A misspelt key is both unknown and missing: the unknown one is what the person typed.
        found = sorted(
            problem.errors(include_url=False), key=lambda error: error["type"] != "extra_forbidden"
        )
        first = found[0]
        keys = (*prefix, *first["loc"])
        name = ".".join(str(key) for key in keys) or "suite"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            missing = [str(error["loc"][-1]) for error in found if error["type"] == "missing"]
            message = "unknown key" + (f" (is {missing[0]!r} meant?)" if missing else "")
        raise SuiteError(
            f"{name}: {message[:1].lower()}{message[1:]}",
            where=f"{where}:{line_of_key(text, keys)}",
            next_step="docs/suite.md lists every key and its values.",
        ) from None

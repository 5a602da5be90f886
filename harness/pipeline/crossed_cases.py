"""A variant of a stored run, opened so that cases which the run does not have can be run on the same inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.core.explanation import NotCrossed
from harness.core.jobs import RunSettings
from harness.core.measurements import Measurement, Result, result_name
from harness.core.variants import FailedBuild, Recipe, Variant, VariantSpec
from harness.core.workload import Workload
from harness.errors import HarnessError, RunError, UsageError
from harness.models.source import SourceFormat, SourceModel
from harness.pipeline.choose_target import TargetSettings, choose_target, target_of_run
from harness.pipeline.crossed import run_crossed
from harness.pipeline.evaluate import evaluate, read_logs, suite_of
from harness.pipeline.load_workload import input_shape, load_workload
from harness.pipeline.prepare import build, open_suite_source
from harness.pipeline.progress import Progress
from harness.pipeline.stored_scores import StoredScores
from harness.shards.pool import ShardPool
from harness.shards.request import Kernels
from harness.store import RunFolder
from harness.suite.document import Suite
from harness.targets.base import Target
from harness.wire.blobs import BlobStore
from harness.workloads.reference import compute_reference

Scores = NDArray[np.float32]
Found = TypeVar("Found")


@dataclass
class CrossedCases:
    """What all crossed cases of one measured variant share. Scores are ``[inputs, classes]``, as in the workload."""

    folder: RunFolder
    suite: Suite
    source: SourceModel
    variant: Variant
    measured: Measurement
    results: tuple[Result, ...]
    """Of all variants of the run."""
    workload: Workload
    store: BlobStore
    reference_scores: Scores
    scores: Scores
    """The variant's own, as measured."""
    progress: Progress
    settings: TargetSettings
    pool: ShardPool
    not_crossed: list[NotCrossed] = field(default_factory=list)

    @property
    def model_path(self) -> Path:
        return self.store.path(self.variant.model)

    def on_tflite(self, model: Path, kernels: Kernels = Kernels.DEFAULT) -> Scores:
        """By LiteRT's interpreter on this machine."""
        return self._computed(model, SourceFormat.TFLITE, self.workload, kernels)

    def on_source(self, workload: Workload) -> Scores:
        """By the source model's own engine on this machine."""
        return self._computed(self.source.path, self.source.format, workload, Kernels.DEFAULT)

    def _computed(self, model: Path, kind: SourceFormat, workload: Workload, kernels: Kernels) -> Scores:
        reference = compute_reference(
            model,
            kind.value,
            workload,
            self.store,
            self.store.root,
            io=self.suite.model.io,
            kernels=kernels,
            pool=self.pool,
        )
        return np.fromfile(self.store.path(reference.outputs), "<f4").reshape(-1, reference.classes)

    def on_this_machine(self, settings: RunSettings) -> Scores:
        """By the runner here."""
        return self._run(choose_target("local", replace(self.settings, cluster=None)), settings)

    def on_target(self, settings: RunSettings) -> Scores:
        """By the runner on the run's device."""
        return self._run(target_of_run(self.folder.plan(), self.settings), settings)

    def _run(self, target: Target, settings: RunSettings) -> Scores:
        try:
            return run_crossed(
                target, self.variant, self.workload, self.store, settings, self.suite.model.output
            )
        finally:
            target.close()

    def build(self, spec: VariantSpec) -> Variant | FailedBuild:
        """Another variant of the same source model; from the cache where it is there."""
        (built,) = build(
            self.source,
            [spec],
            self.workload,
            self.settings.cache,
            self.progress,
            io=self.suite.model.io,
            input_shape=input_shape(self.suite.workload, self.workload),
            pool=self.pool,
        )
        return built

    def float32_model(self) -> Path | None:
        """The float32 .tflite that the variant was made from; ``None`` where there is none, and why is told."""
        if self.variant.recipe is Recipe.FLOAT32:
            return self.model_path
        if self.variant.recipe.needs_graph:
            return None
        built = self.build(VariantSpec("float32", Recipe.FLOAT32))
        if isinstance(built, FailedBuild):
            self.not_crossed.append(NotCrossed(what="float32", reason=built.problem))
            return None
        return self.store.path(built.model)

    def spread_positions(self, count: int) -> list[int]:
        """At most ``count`` inputs, spread over the workload."""
        places = np.linspace(0, len(self.workload.inputs) - 1, count).round().astype(int)
        return [int(place) for place in np.unique(places)]

    def attempt(self, what: str, run: Callable[[], Found]) -> Found | None:
        """A case that can be done without; why it could not be run is told."""
        try:
            return run()
        except HarnessError as error:
            self.not_crossed.append(NotCrossed(what=what, reason=error.problem))
            return None


def open_cases(
    folder: RunFolder, name: str, settings: TargetSettings, progress: Progress, pool: ShardPool
) -> CrossedCases:
    """The variant ``name`` of the finished run in ``folder``; ``pool`` computes what is large of the cases.

    Raises:
        UsageError: the run has no such variant.
        RunError: it was not measured there, or model or inputs changed since.
    """
    plan, suite = folder.plan(), suite_of(folder)
    variant = _variant(folder, suite, name)
    base, store = Path(plan.suite_path).parent, BlobStore(settings.cache)
    source = open_suite_source(suite, base)
    workload = folder.workload()
    same_inputs = load_workload(suite.workload, base, store, progress).workload.digest == workload.digest
    if source.sha256 != plan.source.sha256 or not same_inputs:
        what = "the inputs" if source.sha256 == plan.source.sha256 else "the source model"
        raise RunError(
            f"{what} changed since this run", where=str(folder.path), next_step="Run the suite again."
        )
    if not store.has(variant.model):
        folder.blobs.link_into(variant.model, store.root)
    results = evaluate(folder).results
    measured = next(one for one in results if result_name(one) == name)
    if not isinstance(measured, Measurement):
        raise RunError(
            f"{name} has no complete measurement in this run: {measured.problem}",
            where=str(folder.path),
            next_step=measured.next_step,
        )
    reference_scores, scores = _stored_scores(folder, suite, name, len(workload.inputs))
    return CrossedCases(
        folder=folder,
        suite=suite,
        source=source,
        variant=variant,
        measured=measured,
        results=results,
        workload=workload,
        store=store,
        reference_scores=reference_scores,
        scores=scores,
        progress=progress,
        settings=replace(settings, idle_limit_s=suite.run.idle_limit_seconds),
        pool=pool,
    )


def _variant(folder: RunFolder, suite: Suite, name: str) -> Variant:
    variant = folder.variant(name)
    if isinstance(variant, Variant):
        return variant
    built = [spec.name for spec in suite.variants.specs if isinstance(folder.variant(spec.name), Variant)]
    raise UsageError(
        f"the run {'has no variant' if variant is None else 'could not build'} {name!r}",
        where=str(folder.path),
        next_step=f"Choose one of {', '.join(built)}." if built else "Run the suite again.",
    )


def _stored_scores(folder: RunFolder, suite: Suite, name: str, count: int) -> tuple[Scores, Scores]:
    """The reference's and the variant's, as the run stored them."""
    logs = [log for log in read_logs(folder) if log.variant == name]
    reference = outputs = None
    for chunk in StoredScores(folder, count, suite.model.output).of(logs) or ():
        if reference is None or outputs is None:
            reference = np.full((count, chunk.reference.shape[1]), np.nan, np.float32)
            outputs = np.full((count, chunk.outputs.shape[1]), np.nan, np.float32)
        reference[chunk.indices], outputs[chunk.indices] = chunk.reference, chunk.outputs
    if reference is None or outputs is None:
        raise RunError(
            f"the outputs of {name} are gone", where=str(folder.path), next_step="Run the suite again."
        )
    return reference, outputs

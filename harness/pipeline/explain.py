"""Why a variant of a stored run differs from the reference: runs the crossed cases that are possible here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.core.events import TargetClass
from harness.core.explanation import (
    Explanation,
    Factor,
    Link,
    NotCrossed,
    PreprocessingCheck,
    begins_at,
    first_labels,
    link,
)
from harness.core.jobs import Accelerator, RunSettings
from harness.core.layer_blame import BlamedOperation, rank
from harness.core.measurements import Measurement
from harness.core.variants import FailedBuild, Recipe, Variant, VariantSpec
from harness.core.workload import Workload
from harness.errors import HarnessError, RunError, UsageError
from harness.models.source import SourceFormat, SourceModel
from harness.pipeline.choose_target import TargetSettings, choose_target
from harness.pipeline.crossed import run_crossed
from harness.pipeline.evaluate import evaluate, read_logs, suite_of
from harness.pipeline.load_workload import input_shape, load_workload
from harness.pipeline.prepare import build, open_suite_source
from harness.pipeline.preprocessing_checks import preprocessing_checks
from harness.pipeline.progress import Progress
from harness.pipeline.stored_scores import StoredScores
from harness.store import RunFolder
from harness.suite.document import Suite
from harness.wire.blobs import BlobStore
from harness.workloads.layers import compare_layers
from harness.workloads.reference import Kernels, compute_reference

Scores = NDArray[np.float32]
OnStep = Callable[[str], None]
Found = TypeVar("Found")


@dataclass
class _Station:
    """One way of running the model, and its outputs ``[inputs, classes]``."""

    name: str
    outputs: Scores
    factor: Factor | None = None
    """What it changed from the station before it; ``None`` for the first."""


@dataclass
class _Case:
    """What all crossed cases of one variant share."""

    folder: RunFolder
    suite: Suite
    source: SourceModel
    variant: Variant
    workload: Workload
    store: BlobStore
    progress: Progress
    targets: TargetSettings
    not_crossed: list[NotCrossed] = field(default_factory=list)

    def on_tflite(self, model: Path, kernels: Kernels = Kernels.DEFAULT) -> Scores:
        """By LiteRT's interpreter on this machine."""
        return self._computed(model, SourceFormat.TFLITE, self.workload, kernels)

    def on_source(self, workload: Workload) -> Scores:
        """By the source model's own engine on this machine."""
        return self._computed(self.source.path, self.source.format, workload, Kernels.DEFAULT)

    def _computed(self, model: Path, kind: SourceFormat, workload: Workload, kernels: Kernels) -> Scores:
        reference = compute_reference(
            model, kind.value, workload, self.store, self.store.root, io=self.suite.model.io, kernels=kernels
        )
        return np.fromfile(self.store.path(reference.outputs), "<f4").reshape(-1, reference.classes)

    def on_target(self, name: str, settings: RunSettings) -> Scores:
        """By the runner on the target called ``name``."""
        target = choose_target(name, self.targets)
        try:
            return run_crossed(
                target, self.variant, self.workload, self.store, settings, self.suite.model.output
            )
        finally:
            target.close()


def explain(
    folder: RunFolder,
    name: str,
    cache: Path,
    progress: Progress,
    *,
    on_step: OnStep,
    tolerance: float = 0.1,
    layer_inputs: int = 16,
    on_device: bool = False,
    runner: Path | None = None,
) -> Explanation:
    """Tell apart what makes the variant ``name`` of a finished run differ from the reference.

    ``on_device`` runs on the run's target again, without the accelerator that the variant used. ``layer_inputs``
    inputs, spread over the workload, are compared tensor by tensor; an operation meets ``tolerance`` if its output's
    relative error is at most that. ``runner`` is another build of the runner executable.

    Raises:
        UsageError: the run has no such variant.
        RunError: it was not measured there, or model or inputs changed since.
        HarnessError: what a crossed case cannot do without fails; others that fail are told in ``not_crossed``.
    """
    case = _open(folder, name, cache, progress, runner)
    suite, workload = case.suite, case.workload
    on_step("outputs of the run")
    measured, stored = _stored(case)
    settings = suite.variants.spec(name).settings(folder.plan().settings)
    stations = [_Station(folder.reference().engine, stored[0])]
    base = _float32(case, cache)
    engine = "LiteRT on this machine"
    if base is not None:
        on_step("float32 by LiteRT")
        stations.append(_Station(f"float32, {engine}", case.on_tflite(base), Factor.CONVERSION))
    model = case.store.path(case.variant.model)
    on_step(f"{name} by LiteRT")
    if case.variant.recipe is not Recipe.FLOAT32 or base is None:
        factor = Factor.QUANTIZATION if base is not None else Factor.CONVERSION
        stations.append(_Station(f"{name}, {engine}", case.on_tflite(model), factor))
    on_device_class = measured.device.target_class is not TargetClass.LOCAL
    last = f"{name}, runner on {measured.device.model} ({measured.runtime.name} {measured.runtime.version})"
    if on_device_class:
        on_step("the runner on this machine")
        plain = settings.model_copy(update={"accelerator": Accelerator.NONE})
        here = _try(case, "the runner on this machine", lambda: case.on_target("local", plain))
        if here is not None:
            stations.append(_Station(f"{name}, runner on this machine", here, Factor.RUNNER))
    stations.append(_Station(last, stored[1], Factor.DEVICE if on_device_class else Factor.RUNNER))
    confidence = measured.confidence
    on_step("other kernels")
    beside = _beside(case, model, stations, confidence, settings, on_device=on_device, last=last)
    on_step("preprocessing")
    checks = _try(case, "other preprocessing", lambda: _checks(case, stations[0].outputs)) or []
    layers: tuple[BlamedOperation, ...] = ()
    positions = np.unique(np.linspace(0, len(workload.inputs) - 1, layer_inputs).round().astype(int)).tolist()
    if base is not None and case.variant.recipe is not Recipe.FLOAT32:
        on_step("layer by layer")
        float_model = base
        operations = _try(
            case,
            "layer by layer",
            lambda: compare_layers(float_model, model, workload, case.store, positions),
        )
        layers = rank(operations or (), tolerance=tolerance)
    begins = begins_at([first_labels(station.outputs) for station in stations])
    return Explanation(
        run_id=folder.plan().run_id,
        variant=name,
        target_class=measured.device.target_class.value,
        inputs=len(workload.inputs),
        disagreements=int(np.count_nonzero(begins >= 0)),
        links=tuple(_links(stations, begins, confidence)),
        beside=tuple(beside),
        preprocessing=tuple(checks),
        not_crossed=tuple(case.not_crossed),
        tolerance=tolerance,
        layers=layers,
        layer_inputs=len(positions) if layers else 0,
    )


def _open(folder: RunFolder, name: str, cache: Path, progress: Progress, runner: Path | None) -> _Case:
    plan, suite = folder.plan(), suite_of(folder)
    variant = folder.variant(name)
    if variant is None or isinstance(variant, FailedBuild):
        built = [spec.name for spec in suite.variants.specs if isinstance(folder.variant(spec.name), Variant)]
        what = "has no variant" if variant is None else "could not build"
        raise UsageError(
            f"the run {what} {name!r}",
            where=str(folder.path),
            next_step=f"Choose one of {', '.join(built)}." if built else "Run the suite again.",
        )
    base, store = Path(plan.suite_path).parent, BlobStore(cache)
    source = open_suite_source(suite, base)
    workload = folder.workload()
    same_inputs = load_workload(suite.workload, base, store, progress).workload.digest == workload.digest
    if source.sha256 != plan.source.sha256 or not same_inputs:
        raise RunError(
            f"{'the inputs' if source.sha256 == plan.source.sha256 else 'the source model'} changed since this run",
            where=str(folder.path),
            next_step="Run the suite again, and explain that run.",
        )
    if not store.has(variant.model):
        folder.blobs.link_into(variant.model, store.root)
    targets = TargetSettings(cache, idle_limit_s=suite.run.idle_limit_seconds, runner=runner)
    return _Case(folder, suite, source, variant, workload, store, progress, targets)


def _stored(case: _Case) -> tuple[Measurement, tuple[Scores, Scores]]:
    """The variant's measurement, and the reference's and its own outputs, in the order of the workload."""
    (result,) = [one for one in evaluate(case.folder).results if _name(one) == case.variant.name]
    if not isinstance(result, Measurement):
        raise RunError(
            f"{case.variant.name} has no complete measurement in this run: {result.problem}",
            where=str(case.folder.path),
            next_step=result.next_step,
        )
    scores = StoredScores(case.folder, len(case.workload.inputs), case.suite.model.output)
    logs = [log for log in read_logs(case.folder) if log.variant == case.variant.name]
    reference = outputs = None
    for chunk in scores.of(logs) or ():
        if reference is None or outputs is None:
            reference = np.full((len(case.workload.inputs), chunk.reference.shape[1]), np.nan, np.float32)
            outputs = np.full((len(case.workload.inputs), chunk.outputs.shape[1]), np.nan, np.float32)
        reference[chunk.indices], outputs[chunk.indices] = chunk.reference, chunk.outputs
    if reference is None or outputs is None:
        raise RunError("its outputs are gone", where=str(case.folder.path), next_step="Run the suite again.")
    return result, (reference, outputs)


def _name(result: object) -> str:
    return result.variant.name if isinstance(result, Measurement) else str(getattr(result, "name", ""))


def _float32(case: _Case, cache: Path) -> Path | None:
    """The float32 .tflite that the variant was made from, built again where the cache lost it."""
    if case.variant.recipe is Recipe.FLOAT32:
        return case.store.path(case.variant.model)
    if case.variant.recipe.needs_graph:
        return None
    (built,) = build(
        case.source,
        [VariantSpec("float32", Recipe.FLOAT32)],
        case.workload,
        cache,
        case.progress,
        io=case.suite.model.io,
        input_shape=input_shape(case.suite.workload, case.workload),
    )
    if isinstance(built, FailedBuild):
        case.not_crossed.append(NotCrossed(what="float32", reason=built.problem))
        return None
    return case.store.path(built.model)


def _try(case: _Case, what: str, run: Callable[[], Found]) -> Found | None:
    """A case that the explanation can do without; why it could not be run is told."""
    try:
        return run()
    except HarnessError as error:
        case.not_crossed.append(NotCrossed(what=what, reason=error.problem))
        return None


def _beside(
    case: _Case,
    model: Path,
    stations: Sequence[_Station],
    confidence: float,
    settings: RunSettings,
    *,
    on_device: bool,
    last: str,
) -> list[Link]:
    found = []
    name = case.variant.name
    usual = next(
        station for station in reversed(stations) if station.factor not in (Factor.RUNNER, Factor.DEVICE)
    )
    builtin = _try(case, "LiteRT's built-in kernels", lambda: case.on_tflite(model, Kernels.BUILTIN))
    if builtin is not None:
        names = (usual.name, f"{name}, LiteRT's built-in kernels")
        found.append(link(Factor.KERNELS, names, (usual.outputs, builtin), None, confidence))
    if settings.accelerator is not Accelerator.NONE:
        if not on_device:
            reason = "it needs the device: --on-device"
            case.not_crossed.append(NotCrossed(what="without the accelerator", reason=reason))
            return found
        plain = settings.model_copy(update={"accelerator": Accelerator.NONE})
        target = case.folder.plan().target
        without = _try(case, "without the accelerator", lambda: case.on_target(target, plain))
        if without is not None:
            names = (f"{last}, without {settings.accelerator}", last)
            found.append(link(Factor.ACCELERATOR, names, (without, stations[-1].outputs), None, confidence))
    return found


def _checks(case: _Case, reference: Scores) -> list[PreprocessingCheck]:
    return preprocessing_checks(case.workload, first_labels(reference), case.on_source, case.store)


def _links(stations: Sequence[_Station], begins: NDArray[np.int64], confidence: float) -> list[Link]:
    found = []
    for index, (before, after) in enumerate(pairwise(stations)):
        assert after.factor is not None
        found.append(
            link(
                after.factor,
                (before.name, after.name),
                (before.outputs, after.outputs),
                int(np.count_nonzero(begins == index)),
                confidence,
            )
        )
    return found

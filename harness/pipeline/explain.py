"""Why a variant of a stored run differs from the reference: runs the crossed cases that are possible here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.events import TargetClass
from harness.core.explanation import (
    Explanation,
    Factor,
    Link,
    NotCrossed,
    begins_at,
    first_labels,
    link,
)
from harness.core.jobs import Accelerator, RunSettings
from harness.core.layer_blame import BlamedOperation, rank
from harness.core.variants import Recipe
from harness.pipeline.choose_target import TargetSettings
from harness.pipeline.crossed_cases import CrossedCases, Scores, open_cases
from harness.pipeline.preprocessing_checks import preprocessing_checks
from harness.pipeline.progress import Progress
from harness.pipeline.shard_pools import shard_pool
from harness.shards.request import Kernels
from harness.store import RunFolder
from harness.workloads.layers import compare_layers

OnStep = Callable[[str], None]
_ENGINE = "LiteRT on this machine"


@dataclass
class _Station:
    """One way of running the model, and its outputs."""

    name: str
    outputs: Scores
    factor: Factor | None = None
    """What it changed from the station before it; ``None`` for the first."""


def explain(
    folder: RunFolder,
    name: str,
    settings: TargetSettings,
    progress: Progress,
    *,
    on_step: OnStep,
    tolerance: float = 0.1,
    layer_inputs: int = 16,
    on_device: bool = False,
) -> Explanation:
    """Tell apart what makes the variant ``name`` of a finished run differ from the reference.

    ``on_device`` runs on the run's target again, without the accelerator that the variant used. ``layer_inputs``
    inputs, spread over the workload, are compared tensor by tensor; an operation meets ``tolerance`` if its output's
    relative error is at most that. What is large is computed by the cores of the cluster in ``settings``, or of this
    machine.

    Raises:
        UsageError, RunError: see ``open_cases``.
        HarnessError: what a crossed case cannot do without fails; others that fail are told in ``not_crossed``.
    """
    with shard_pool(settings) as pool:
        on_step("outputs of the run")
        cases = open_cases(folder, name, settings, progress, pool)
        return _explained(cases, on_step, tolerance, layer_inputs, on_device=on_device)


def _explained(
    cases: CrossedCases, on_step: OnStep, tolerance: float, layer_inputs: int, *, on_device: bool
) -> Explanation:
    on_step("float32 by LiteRT")
    base = cases.float32_model()
    stations = _stations(cases, base, on_step)
    confidence = cases.measured.confidence
    on_step("other kernels")
    beside = _other_kernels(cases, stations, confidence)
    on_step("without the accelerator")
    beside += _without_accelerator(cases, stations[-1], confidence, on_device=on_device)
    on_step("preprocessing")
    checks = cases.attempt(
        "other preprocessing",
        lambda: preprocessing_checks(
            cases.workload, first_labels(cases.reference_scores), cases.on_source, cases.store
        ),
    )
    on_step("layer by layer")
    positions = cases.spread_positions(layer_inputs)
    layers = _layers(cases, base, positions, tolerance)
    begins = begins_at([first_labels(station.outputs) for station in stations])
    return Explanation(
        run_id=cases.folder.plan().run_id,
        variant=cases.variant.name,
        target_class=cases.measured.device.target_class.value,
        inputs=len(cases.workload.inputs),
        disagreements=int(np.count_nonzero(begins >= 0)),
        links=tuple(_links(stations, begins, confidence)),
        beside=tuple(beside),
        preprocessing=tuple(checks or ()),
        not_crossed=tuple(cases.not_crossed),
        tolerance=tolerance,
        layers=layers,
        layer_inputs=len(positions) if layers else 0,
    )


def _stations(cases: CrossedCases, base: Path | None, on_step: OnStep) -> list[_Station]:
    """From the reference to what was measured, each one step from the one before."""
    name, measured = cases.variant.name, cases.measured
    stations = [_Station(cases.folder.reference().engine, cases.reference_scores)]
    if base is not None:
        stations.append(_Station(f"float32, {_ENGINE}", cases.on_tflite(base), Factor.CONVERSION))
    if cases.variant.recipe is not Recipe.FLOAT32 or base is None:
        on_step(f"{name} by LiteRT")
        factor = Factor.QUANTIZATION if base is not None else Factor.CONVERSION
        stations.append(_Station(f"{name}, {_ENGINE}", cases.on_tflite(cases.model_path), factor))
    is_here = measured.device.target_class is TargetClass.LOCAL and not cases.folder.plan().cluster
    if not is_here:
        on_step("the runner on this machine")
        plain = _settings(cases).model_copy(update={"accelerator": Accelerator.NONE})
        here = cases.attempt("the runner on this machine", lambda: cases.on_this_machine(plain))
        if here is not None:
            stations.append(_Station(f"{name}, runner on this machine", here, Factor.RUNNER))
    runtime = f"{measured.runtime.name} {measured.runtime.version}"
    last = f"{name}, runner on {measured.device.model} ({runtime})"
    stations.append(_Station(last, cases.scores, Factor.RUNNER if is_here else Factor.DEVICE))
    return stations


def _settings(cases: CrossedCases) -> RunSettings:
    return cases.suite.variants.spec(cases.variant.name).settings(cases.folder.plan().settings)


def _other_kernels(cases: CrossedCases, stations: Sequence[_Station], confidence: float) -> list[Link]:
    usual = next(one for one in reversed(stations) if one.factor not in (Factor.RUNNER, Factor.DEVICE))
    builtin = cases.attempt(
        "LiteRT's built-in kernels", lambda: cases.on_tflite(cases.model_path, Kernels.BUILTIN)
    )
    if builtin is None:
        return []
    names = (usual.name, f"{cases.variant.name}, LiteRT's built-in kernels")
    return [link(Factor.KERNELS, names, (usual.outputs, builtin), None, confidence)]


def _without_accelerator(
    cases: CrossedCases, last: _Station, confidence: float, *, on_device: bool
) -> list[Link]:
    settings = _settings(cases)
    if settings.accelerator is Accelerator.NONE:
        return []
    if not on_device:
        reason = "it needs the device: --on-device"
        cases.not_crossed.append(NotCrossed(what="without the accelerator", reason=reason))
        return []
    plain = settings.model_copy(update={"accelerator": Accelerator.NONE})
    without = cases.attempt("without the accelerator", lambda: cases.on_target(plain))
    if without is None:
        return []
    names = (f"{last.name}, without {settings.accelerator}", last.name)
    return [link(Factor.ACCELERATOR, names, (without, last.outputs), None, confidence)]


def _layers(
    cases: CrossedCases, base: Path | None, positions: Sequence[int], tolerance: float
) -> tuple[BlamedOperation, ...]:
    if base is None or cases.variant.recipe is Recipe.FLOAT32:
        return ()
    found = cases.attempt(
        "layer by layer",
        lambda: compare_layers(base, cases.model_path, cases.workload, cases.store, positions),
    )
    return rank(found or (), tolerance=tolerance)


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

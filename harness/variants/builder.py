"""Builds the variants of one source model: from the cache, else converted in subprocesses."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

from harness.core.model_io import ModelIO
from harness.core.variants import Build, FailedBuild, Form, Variant, VariantSpec
from harness.errors import BuildError, HarnessError
from harness.models.source import SourceFormat, SourceModel
from harness.models.tflite import read_tflite
from harness.shards.pool import ShardPool
from harness.variants.activation_ranges import calibrate, to_bytes
from harness.variants.cache import CacheEntry, VariantCache, cache_key
from harness.variants.calibration import CalibrationData
from harness.variants.process import WorkerProcesses
from harness.variants.recipes import SPECS, no_calibration, no_graph, tools_of
from harness.variants.request import BuildRequest

DEFAULT_TIMEOUT_S: Final = 1800.0

BuildState = Literal["queued", "cached", "converting", "done", "failed"]


class OnProgress(Protocol):
    """Called from any thread. ``seconds``: how long the build took for ``done`` and ``failed``, else 0."""

    def __call__(self, name: str, state: BuildState, seconds: float) -> None: ...


def build_variants(
    source: SourceModel,
    specs: Sequence[VariantSpec],
    calibration: CalibrationData | None,
    cache: VariantCache,
    *,
    workers: int | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    on_progress: OnProgress | None = None,
    io: ModelIO | None = None,
    input_shape: tuple[int, ...] | None = None,
    pool: ShardPool | None = None,
) -> list[Variant | FailedBuild]:
    """Build every variant of ``specs``, in their order; one that fails does not end the others.

    At most ``workers`` conversions run at once (``None``: one for each CPU), each ended after ``timeout_s``.
    ``io`` and ``input_shape`` (batch axis included) say what a graph takes and gives where it leaves that open.
    ``pool`` watches the activations where there are enough calibration inputs for it; see ``pool_for``.
    The float32 file that other recipes start from is built once, kept in the cache, and reported to
    ``on_progress`` as ``float32`` where no spec asks for it. The models lie in ``cache.blobs``.

    Interrupting the call (Ctrl-C) ends the conversions that run.
    """
    with tempfile.TemporaryDirectory(prefix="harness-build-") as work:
        session = _Session(
            source,
            io or ModelIO(),
            input_shape,
            calibration,
            cache,
            timeout_s,
            on_progress or _silent,
            _names(specs),
            Path(work),
            pool,
        )
        at_once = workers or os.cpu_count() or 1
        with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="build") as threads:
            try:
                outcomes = session.build_all(threads)
            except BaseException:
                session.processes.kill_all()
                threads.shutdown(wait=False, cancel_futures=True)
                raise
    return [_outcome(spec, outcomes[spec.form]) for spec in specs]


def _silent(name: str, state: BuildState, seconds: float) -> None:
    del name, state, seconds


def _names(specs: Sequence[VariantSpec]) -> dict[Form, list[str]]:
    names: dict[Form, list[str]] = {}
    for spec in specs:
        names.setdefault(spec.form, []).append(spec.name)
    return names


@dataclass(frozen=True)
class _Found:
    entry: CacheEntry
    cached: bool


def _outcome(spec: VariantSpec, outcome: _Found | BuildError) -> Variant | FailedBuild:
    if isinstance(outcome, BuildError):
        return FailedBuild(
            name=spec.name, recipe=spec.recipe, problem=outcome.problem, next_step=outcome.next_step
        )
    entry = outcome.entry
    return Variant(
        name=spec.name,
        recipe=spec.recipe,
        model=entry.model,
        compressed_bytes=entry.compressed_bytes,
        build=Build(duration_s=entry.duration_s, cached=outcome.cached, tools=entry.tools),
        keep_float=spec.keep_float,
    )


@dataclass
class _Session:
    """One call of ``build_variants``."""

    source: SourceModel
    io: ModelIO
    input_shape: tuple[int, ...] | None
    calibration: CalibrationData | None
    cache: VariantCache
    timeout_s: float
    on_progress: OnProgress
    names: Mapping[Form, list[str]]
    work: Path
    pool: ShardPool | None
    processes: WorkerProcesses = field(default_factory=WorkerProcesses)

    def build_all(self, threads: ThreadPoolExecutor) -> dict[Form, _Found | BuildError]:
        outcomes: dict[Form, _Found | BuildError] = {}
        for form in self.names:
            known = self._known(form)
            if known is not None:
                outcomes[form] = known
        waiting = [form for form in self.names if form not in outcomes]
        for form in waiting:
            self._report(form, "queued")
        bases = dict.fromkeys(base for form in waiting if (base := _base(form)) is not None)
        for base in bases:
            if base not in outcomes and base not in waiting:
                known = self._known(base)
                if known is not None:
                    outcomes[base] = known
                else:
                    waiting.insert(0, base)
        if self.calibration is not None and any(form.recipe.needs_calibration for form in waiting):
            self.calibration.check()
        running: dict[Form, Future[_Found | BuildError]] = {}
        # Those without a base first: the others wait for them, and must not take all threads meanwhile.
        for form in sorted(waiting, key=lambda each: _base(each) is not None):
            base = _base(form)
            before = None if base is None else running.get(base) or _settled(outcomes[base])
            running[form] = threads.submit(self._build, form, before)
        for form, future in running.items():
            outcomes[form] = future.result()
        return outcomes

    def _known(self, form: Form) -> _Found | BuildError | None:
        """From the cache, or known to be impossible without trying."""
        recipe = form.recipe
        try:
            if recipe.needs_graph and not self.source.format.is_graph:
                raise no_graph(self.source.format)
            if recipe.needs_calibration and (self.calibration is None or self.calibration.count < 1):
                raise no_calibration()
            entry = self.cache.find(self._key(form))
        except (BuildError, OSError) as error:
            self._report(form, "failed")
            return _as_build_error(error)
        if entry is None:
            return None
        self._report(form, "cached")
        return _Found(entry, cached=True)

    def _key(self, form: Form) -> str:
        return cache_key(
            source_sha256=self.source.sha256,
            form=form,
            calibration_sha256=self.calibration.sha256 if self.calibration else None,
            tools=tools_of(form.recipe, self.source.format),
            io=self.io if self.source.format.is_graph else None,
            input_shape=self.input_shape,
        )

    def _build(self, form: Form, before: Future[_Found | BuildError] | None) -> _Found | BuildError:
        base = before.result() if before else None
        if isinstance(base, BuildError):
            self._report(form, "failed")
            problem = f"starts from the float32 variant, which failed: {base.problem}"
            return BuildError(problem, next_step=base.next_step)
        self._report(form, "converting")
        started = time.perf_counter()
        try:
            entry = self._convert(form, base.entry if base else None)
        except (HarnessError, OSError) as error:
            self._report(form, "failed", time.perf_counter() - started)
            return _as_build_error(error)
        self._report(form, "done", time.perf_counter() - started)
        return _Found(entry, cached=False)

    def _convert(self, form: Form, base: CacheEntry | None) -> CacheEntry:
        recipe = form.recipe
        folder = Path(tempfile.mkdtemp(prefix=f"{recipe.value}-", dir=self.work))
        request = BuildRequest(
            form=form,
            input=str(self.cache.path(base).resolve() if base else self.source.path.resolve()),
            input_format=SourceFormat.TFLITE if base else self.source.format,
            ranges=str(self._ranges(form, base, folder)) if base and recipe.needs_calibration else None,
            output=str(folder / "model.tflite"),
            result=str(folder / "result.json"),
            io=self.io,
            input_shape=self.input_shape,
        )
        result = self.processes.run(request, folder, self.timeout_s)
        return self.cache.put(
            self._key(form),
            form,
            Path(request.output),
            compressed_bytes=result.compressed_bytes,
            duration_s=result.duration_s,
            tools=tools_of(recipe, self.source.format),
        )

    def _ranges(self, form: Form, base: CacheEntry, folder: Path) -> Path:
        """The file with what the activations of ``base`` reach on the calibration inputs."""
        inputs = read_tflite(self.cache.path(base)).inputs
        if len(inputs) != 1:
            raise BuildError(
                f"the model has {len(inputs)} inputs, and calibration inputs are given for one",
                next_step="Use the recipes float16 or dynamic-int8, which need no calibration.",
            )
        if self.calibration is None:
            raise no_calibration()
        ranges = calibrate(
            base.model,
            form,
            inputs[0],
            self.calibration,
            self.cache.blobs,
            self.pool,
            self.processes.stopped,
        )
        path = folder / "ranges"
        path.write_bytes(to_bytes(ranges))
        return path

    def _report(self, form: Form, state: BuildState, seconds: float = 0.0) -> None:
        for name in self.names.get(form, [form.recipe.value]):
            self.on_progress(name, state, seconds)


def _base(form: Form) -> Form | None:
    """What ``form`` starts from; ``None``: the source model."""
    base = SPECS[form.recipe].base
    return None if base is None else Form(recipe=base)


def _as_build_error(error: HarnessError | OSError) -> BuildError:
    if isinstance(error, BuildError):
        return error
    if isinstance(error, HarnessError):
        return BuildError(error.problem, where=error.where, next_step=error.next_step)
    return BuildError(
        f"cannot be stored: {error.strerror or error}",
        where=str(error.filename) if error.filename else None,
        next_step="Free space on the disk, or set HARNESS_CACHE to a folder that can be written.",
    )


def _settled(outcome: _Found | BuildError) -> Future[_Found | BuildError]:
    future: Future[_Found | BuildError] = Future()
    future.set_result(outcome)
    return future

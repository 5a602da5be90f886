"""What a run needs before it can measure: the plan, the inputs, the variants, the reference, the schedule."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from harness import __version__
from harness.core.measurements import not_built
from harness.core.model_io import ModelIO
from harness.core.runs import Host, Plan, SourceRecord
from harness.core.sampling import input_order, next_shard, shard_size
from harness.core.schedule import further_round, schedule
from harness.core.variants import FailedBuild, Variant, VariantSpec
from harness.core.workload import Reference, Workload
from harness.errors import BuildError, RunError
from harness.models.source import SourceModel, open_source
from harness.pipeline.chain import run_chain
from harness.pipeline.load_workload import input_shape, load_workload
from harness.pipeline.progress import Progress
from harness.shards.pool import ShardPool
from harness.store import RunFolder, new_run_id
from harness.suite.document import Suite
from harness.suite.run import UntilDecidedSection
from harness.variants.builder import build_variants
from harness.variants.cache import VariantCache
from harness.variants.calibration import CalibrationData
from harness.wire.blobs import BlobStore
from harness.workloads.labels import check_labels
from harness.workloads.reference import compute_reference

_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "ai-edge-litert", "litert-quantizer", "numpy")


def plan_run(
    suite: Suite,
    suite_path: Path,
    suite_toml: str,
    source: SourceModel,
    target: str,
    release: str = "",
    *,
    until_decided: bool = False,
) -> Plan:
    """The plan of a new run of ``suite`` on ``target``; ``release`` is what the team calls what it measures.

    ``until_decided`` asks for sampling until every rule is decided where the suite does not.
    """
    sampling = suite.run.until_decided or (UntilDecidedSection() if until_decided else None)
    now_ns = time.time_ns()
    return Plan(
        run_id=new_run_id(suite.name, now_ns),
        created_unix_ns=now_ns,
        harness_version=__version__,
        suite_name=suite.name,
        suite_path=str(suite_path.resolve()),
        suite_toml=suite_toml,
        host=describe_host(),
        source=SourceRecord(
            path=str(source.path), format=source.format.value, sha256=source.sha256, bytes=source.bytes
        ),
        target=target,
        rounds=suite.run.rounds,
        seed=suite.run.seed,
        settings=suite.run.settings,
        until_decided=sampling.budget if sampling else None,
        release=release,
    )


def describe_host() -> Host:
    """This machine and the packages that matter to a result."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return Host(
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpu=platform.processor() or platform.machine(),
        logical_cores=os.cpu_count() or 1,
        python=platform.python_version(),
        packages=versions,
    )


def open_suite_source(suite: Suite, base: Path) -> SourceModel:
    """The suite's source model; paths start from ``base``, the suite's folder.

    Raises:
        ModelError: the file cannot be used.
    """
    return open_source(base / suite.model.path)


def build(
    source: SourceModel,
    specs: Sequence[VariantSpec],
    workload: Workload | None,
    cache: Path,
    progress: Progress,
    *,
    io: ModelIO | None = None,
    input_shape: tuple[int, ...] | None = None,
    pool: ShardPool | None = None,
) -> list[Variant | FailedBuild]:
    """Build ``specs`` of ``source``; what the cache holds is not built again.

    ``io`` and ``input_shape`` say what a graph takes and gives; see ``input_shape``. ``pool``: see ``prepare``.
    """
    store = BlobStore(cache)
    calibration = None
    if any(spec.recipe.needs_calibration for spec in specs) and workload and workload.calibration:
        calibration = CalibrationData.stored(workload.calibration, store)
    return build_variants(
        source,
        specs,
        calibration,
        VariantCache(cache),
        on_progress=progress.variant_state,
        io=io,
        input_shape=input_shape,
        pool=pool,
    )


def prepare(
    folder: RunFolder, suite: Suite, cache: Path, progress: Progress, pool: ShardPool | None = None
) -> dict[str, Variant]:
    """Bring the run to where it can measure, and return its built variants by name.

    What an earlier attempt wrote down is kept. The variants and the reference are made side by side; what of them is
    large is computed by ``pool`` (``harness.shards.pool.pool_for``).

    Raises:
        ModelError, WorkloadError: the model or the inputs cannot be used, or do not fit together.
        RunError: the source model changed since the run was planned.
        BuildError: not one variant could be built.
    """
    base = Path(folder.plan().suite_path).parent
    store = BlobStore(cache)
    source = open_suite_source(suite, base)
    if source.sha256 != folder.plan().source.sha256:
        raise RunError(
            "the source model changed since this run was planned",
            where=str(source.path),
            next_step="Start a new run: harness run SUITE.",
        )
    loaded = load_workload(suite.workload, base, store, progress)
    if folder.has_workload() and folder.workload().digest != loaded.workload.digest:
        raise RunError(
            "the inputs changed since this run was planned",
            where=str(base / suite.workload.inputs),
            next_step="Start a new run: harness run SUITE.",
        )
    if not folder.has_workload():
        folder.write_workload(loaded.workload, loaded.skipped)
    progress.workload_ready(loaded.workload, loaded.skipped)
    given_up = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as beside, _set_where_it_fails(given_up):
        pending = beside.submit(
            _reference, folder, source, suite.model.io, loaded.workload, store, progress, pool, given_up
        )
        missing = [spec for spec in suite.variants.specs if not _is_built(folder, spec.name, store)]
        built = (
            build(
                source,
                missing,
                loaded.workload,
                cache,
                progress,
                io=suite.model.io,
                input_shape=input_shape(suite.workload, loaded.workload),
                pool=pool,
            )
            if missing
            else []
        )
        for result in built:
            folder.write_variant(result)
        reference = pending.result()
    check_labels(loaded.workload, reference.classes)
    if suite.chain is not None and folder.chain() is None:
        folder.write_chain(
            run_chain(source, suite.model.io, suite.chain.steps, loaded.workload, store, progress, pool)
        )
    variants = {}
    failed = []
    for spec in suite.variants.specs:
        outcome = folder.variant(spec.name)
        if isinstance(outcome, Variant):
            variants[outcome.name] = outcome
        elif outcome is not None:
            failed.append(not_built(outcome))
    if not variants:
        raise BuildError(
            f"no variant could be built; {failed[0].name}: {failed[0].problem}",
            where=str(source.path),
            next_step=failed[0].next_step,
        )
    if not folder.has_schedule():
        plan = folder.plan()
        count = len(loaded.workload.inputs)
        if plan.until_decided is None:
            folder.write_schedule(schedule(list(variants), count, plan.rounds, plan.seed))
        else:
            order = input_order(loaded.workload, plan.seed)
            shard = next_shard(order, loaded.workload, 0, shard_size(plan, count))
            folder.write_schedule(further_round(list(variants), 0, shard, plan.seed), order)
    return variants


@contextmanager
def _set_where_it_fails(event: threading.Event) -> Iterator[None]:
    try:
        yield
    except BaseException:
        event.set()
        raise


def _is_built(folder: RunFolder, name: str, store: BlobStore) -> bool:
    result = folder.variant(name)
    if isinstance(result, Variant):
        # The run's own copy counts: a variant built anew may have other bytes than the jobs that ran.
        return folder.blobs.has(result.model) or store.has(result.model)
    return result is not None


def _reference(
    folder: RunFolder,
    source: SourceModel,
    io: ModelIO,
    workload: Workload,
    store: BlobStore,
    progress: Progress,
    pool: ShardPool | None,
    given_up: threading.Event,
) -> Reference:
    if folder.has_reference():
        return folder.reference()
    progress.reference_state("computing")
    reference = compute_reference(
        source.path,
        source.format.value,
        workload,
        store,
        store.root,
        lambda done, total: progress.reference_state("computing", done, total),
        io=io,
        pool=pool,
        given_up=given_up,
    )
    store.link_into(reference.outputs, folder.path)
    folder.write_reference(reference)
    progress.reference_state("done")
    return reference

"""What the benchmarks share: a working folder, the demo's variants, one first build."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.processes import Finished, timed
from harness.cli.places import cache_folder, runner_override
from harness.core.variants import Variant
from harness.core.workload import Workload
from harness.errors import BuildError, HarnessError, InputError
from harness.pipeline.evaluate import evaluate
from harness.pipeline.load_workload import load_workload
from harness.pipeline.prepare import build, open_suite_source
from harness.pipeline.progress import Silent
from harness.store import RunFolder, list_runs
from harness.suite.read import read_suite
from harness.targets.local import RuntimeLibrary, find_runtime_library
from harness.targets.runner_executable import runner_executable
from harness.wire.blobs import BlobStore

ROOT = Path(__file__).resolve().parents[1]
DEMO_SUITE = ROOT / "fixtures" / "demo.toml"
TINY_MODEL = ROOT / "fixtures" / "tiny" / "image_float32.tflite"


@dataclass
class Workspace:
    """``work`` is an empty folder that is removed afterwards."""

    work: Path

    @cached_property
    def python(self) -> Path:
        return Path(sys.executable)

    @cached_property
    def harness(self) -> Path:
        """The installed ``harness`` command of this environment.

        Raises:
            InputError: there is none.
        """
        path = self.python.parent / "harness"
        if not path.is_file():
            raise InputError("the harness is not installed here", where=str(path), next_step="make setup")
        return path

    @cached_property
    def runner(self) -> Path:
        """The installed runner, or the one that HARNESS_RUNNER names, as ``harness run`` takes it."""
        return runner_executable(runner_override())

    @cached_property
    def runtime(self) -> RuntimeLibrary:
        return find_runtime_library()

    @cached_property
    def cache(self) -> BlobStore:
        """The user's own cache, so that what is there is not built again."""
        return BlobStore(cache_folder())

    @cached_property
    def workload(self) -> Workload:
        """The demo's inputs, decoded into the cache.

        Raises:
            HarnessError: the fixtures are not there.
        """
        suite, _ = read_suite(DEMO_SUITE)
        return load_workload(suite.workload, DEMO_SUITE.parent, self.cache, Silent()).workload

    @cached_property
    def variants(self) -> dict[str, Variant]:
        """The demo's variants by name; what the cache holds is not built again.

        Raises:
            HarnessError: the fixtures are not there, or a variant could not be built.
        """
        suite, _ = read_suite(DEMO_SUITE)
        source = open_suite_source(suite, DEMO_SUITE.parent)
        variants = {}
        for result in build(source, suite.variants.specs, self.workload, self.cache.root, Silent()):
            if not isinstance(result, Variant):
                raise BuildError(result.problem, where=result.name, next_step=result.next_step)
            variants[result.name] = result
        return variants

    def model(self, variant: str) -> Path:
        """The .tflite of one of the demo's variants."""
        return self.cache.path(self.variants[variant].model)

    @property
    def build_command(self) -> list[str | Path]:
        """Builds the demo's variants in a cache of this run, which is empty at first."""
        return [self.harness, "build", DEMO_SUITE, "--cache", self.work / "first-build", "--json"]

    @cached_property
    def first_build(self) -> Finished:
        """The first call of ``build_command``; its output is the variants as JSON."""
        timed([self.harness, "build", "--help"])
        return timed(self.build_command)

    @cached_property
    def demo_run(self) -> RunFolder:
        """The newest complete run of the demo in ``reports``, else a new one in the working folder."""
        for folder in reversed(list_runs(ROOT / "reports")):
            try:
                if folder.plan().suite_name == "demo" and folder.is_complete:
                    evaluate(folder)
                    return folder
            except HarnessError:
                # Another version of the harness wrote it, or it is damaged.
                continue
        runs = self.work / "demo-runs"
        # Its verdict is no matter here.
        timed([self.harness, "run", DEMO_SUITE, "--runs", runs], statuses=(0, 1, 3))
        return list_runs(runs)[-1]

"""``harness build SUITE``: only the variants, and their sizes."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.cluster_options import ClusterOptions, cluster_options


@click.command("build")
@click.argument("suite", type=click.Path(path_type=Path))
@click.option(
    "--output", type=click.Path(path_type=Path), help="Also put the .tflite files into this folder."
)
@click.option("--cache", type=click.Path(path_type=Path), help="Where built variants are kept.")
@cluster_options
@click.option("--json", "as_json", is_flag=True, help="Print the variants as JSON.")
def command(
    suite: Path, output: Path | None, cache: Path | None, cluster: ClusterOptions, as_json: bool
) -> int:
    """Build the variants of SUITE, and show what they weigh in the app and in its archive.

    Large calibrations are computed by all cores of this machine, or by those of a cluster.
    Exit status 3 when a variant could not be built.
    """
    import json
    import shutil

    from rich.console import Console

    from harness.cli.live_progress import LiveProgress
    from harness.cli.places import cache_folder
    from harness.core.variants import FailedBuild, Variant
    from harness.errors import ExitStatus
    from harness.pipeline.choose_target import TargetSettings
    from harness.pipeline.load_workload import input_shape, load_workload
    from harness.pipeline.prepare import build, open_suite_source
    from harness.pipeline.shard_pools import shard_pool
    from harness.suite.read import read_suite
    from harness.wire.blobs import BlobStore

    console = Console(stderr=as_json)
    read, _ = read_suite(suite)
    place = cache or cache_folder()
    store = BlobStore(place)
    with (
        LiveProgress(console) as progress,
        cluster.reaching(TargetSettings(cache=place)) as settings,
        shard_pool(settings) as pool,
    ):
        source = open_suite_source(read, suite.parent)
        workload = None
        calibrated = any(spec.recipe.needs_calibration for spec in read.variants.specs)
        # A graph may leave its input's shape open, and tensors tell theirs only when they are read.
        if calibrated or (source.format.is_graph and read.workload.preprocess is None):
            workload = load_workload(read.workload, suite.parent, store, progress).workload
        results = build(
            source,
            read.variants.specs,
            workload,
            place,
            progress,
            io=read.model.io,
            input_shape=input_shape(read.workload, workload),
            pool=pool,
        )
    built = [result for result in results if isinstance(result, Variant)]
    failed = [result for result in results if isinstance(result, FailedBuild)]
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for variant in built:
            shutil.copyfile(store.path(variant.model), output / f"{variant.name}.tflite")
    if as_json:
        click.echo(json.dumps([result.model_dump(mode="json") for result in results], indent=1))
    else:
        from harness.render.sizes import size_table

        console.print(size_table(built, failed, source_bytes=source.bytes))
    return int(ExitStatus.UNDECIDED if failed else ExitStatus.PASS)

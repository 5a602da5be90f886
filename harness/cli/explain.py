"""``harness explain RUN VARIANT``: why a variant's labels differ from the reference's."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.cluster_options import ClusterOptions, cluster_options


@click.command("explain")
@click.argument("run")
@click.argument("variant")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, min_open=True),
    default=0.1,
    show_default=True,
    help="Relative error of an operation's output that still agrees.",
)
@click.option(
    "--layer-inputs",
    type=click.IntRange(min=1, max=10_000),
    default=16,
    show_default=True,
    help="Compare layers on so many inputs, spread over the workload.",
)
@click.option("--on-device", is_flag=True, help="Run on the run's target again, without its accelerator.")
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Where built variants and decoded inputs are kept."
)
@cluster_options
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def command(
    run: str,
    variant: str,
    tolerance: float,
    layer_inputs: int,
    on_device: bool,
    cache: Path | None,
    cluster: ClusterOptions,
    as_json: bool,
) -> int:
    """Tell preprocessing, conversion, quantization, runner and device apart for VARIANT of the stored RUN.

    Runs the cases between the reference and the device that this machine can run, and compares layer by layer.
    A run's cluster is used where it was used for the run.
    """
    from rich.console import Console

    from harness.cli.named_runs import local_run
    from harness.cli.places import cache_folder, runner_override, runs_folder
    from harness.pipeline.choose_target import TargetSettings
    from harness.pipeline.explain import explain
    from harness.pipeline.progress import Silent
    from harness.render.explanation import terminal_explanation
    from harness.store import find_run

    console = Console(stderr=True) if as_json else Console()
    runs = runs_folder(None)
    folder = find_run(local_run(run, runs), runs)
    here = TargetSettings(cache=cache or cache_folder(), runner=runner_override())
    with cluster.reaching(here, folder.plan(), is_needed=on_device) as settings, console.status("") as status:
        found = explain(
            folder,
            variant,
            settings,
            Silent(),
            on_step=lambda step: status.update(f"Running: {step}"),
            tolerance=tolerance,
            layer_inputs=layer_inputs,
            on_device=on_device,
        )
    folder.write_explanation(found)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
    else:
        console.print(terminal_explanation(found))
    return 0

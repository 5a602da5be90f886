"""``harness rescue RUN VARIANT``: the smallest mixed form of a variant that meets the policy, and a run with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.cluster_options import ClusterOptions, cluster_options

if TYPE_CHECKING:
    from harness.core.rescue import Candidate
    from harness.store import RunFolder


@click.command("rescue")
@click.argument("run")
@click.argument("variant")
@click.option(
    "--policy", type=click.Path(path_type=Path), help="Search by this file's [policy], not by the suite's."
)
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=24,
    show_default=True,
    help="Build and compare at most so many candidates.",
)
@click.option(
    "--write",
    type=click.Path(path_type=Path),
    help="Where the suite with the found variant goes (SUITE-rescued.toml).",
)
@click.option("--no-run", is_flag=True, help="Write the suite, but do not run it.")
@click.option("--runs", type=click.Path(path_type=Path), help="Where run folders are kept (reports/).")
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Where built variants and decoded inputs are kept."
)
@cluster_options
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON; implies --no-run.")
@click.pass_context
def command(
    context: click.Context,
    run: str,
    variant: str,
    policy: Path | None,
    budget: int,
    write: Path | None,
    no_run: bool,
    runs: Path | None,
    cache: Path | None,
    cluster: ClusterOptions,
    as_json: bool,
) -> int:
    """Search the smallest mixed form of VARIANT that meets the policy, and run it beside the others of RUN.

    Layers that add most error stay in float. Exit status: 1 where no mixture passes, else that of the new run.
    """
    from rich.console import Console

    from harness.cli import run as run_verb
    from harness.cli.named_runs import local_run
    from harness.cli.places import cache_folder, runner_override, runs_folder
    from harness.errors import ExitStatus
    from harness.pipeline.choose_target import TargetSettings
    from harness.pipeline.evaluate import suite_of
    from harness.pipeline.progress import Silent
    from harness.pipeline.rescue import rescue
    from harness.render.rescue import kept, terminal_rescue
    from harness.store import find_run
    from harness.suite.read import read_policy

    folder = find_run(local_run(run, runs_folder(runs)), runs_folder(runs))
    suite_path = write or _beside(folder)
    if not as_json:
        _refuse_existing(suite_path)
    section = read_policy(policy) if policy else suite_of(folder).policy
    console = Console(stderr=True) if as_json else Console()
    here = TargetSettings(cache=cache or cache_folder(), runner=runner_override())
    needs_device = not (no_run or as_json)
    with (
        cluster.reaching(here, folder.plan(), is_needed=needs_device) as settings,
        console.status("Comparing layers") as status,
    ):

        def tell(candidate: Candidate) -> None:
            status.update(f"Tried {kept(candidate.form)} kept in float: {candidate.answer}")

        found = rescue(folder, variant, section.policy, settings, Silent(), budget=budget, on_tried=tell)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
        return int(ExitStatus.PASS if found.best else ExitStatus.FAIL)
    console.print(terminal_rescue(found))
    if found.best is None:
        return int(ExitStatus.FAIL)
    if found.best.form == suite_of(folder).variants.spec(variant).form:
        return int(ExitStatus.PASS)
    _write_suite(folder, suite_path, f"{variant}-rescued", found.best)
    console.print(f"Suite [bold]{suite_path}[/]", soft_wrap=True)
    if no_run:
        return int(ExitStatus.PASS)
    options = {
        "suite": suite_path,
        "target": folder.plan().target,
        "policy": policy,
        "runs": runs,
        "cache": cache,
        "cluster": cluster.address_for(folder.plan()),
        "certificates": cluster.certificates,
        "insecure": cluster.insecure,
        "patience": cluster.patience_s,
    }
    return int(context.invoke(run_verb.command, **options))


def _beside(folder: RunFolder) -> Path:
    suite = Path(folder.plan().suite_path)
    return suite.with_name(f"{suite.stem}-rescued.toml")


def _refuse_existing(suite_path: Path) -> None:
    from harness.errors import UsageError

    if suite_path.exists():
        raise UsageError(
            "is there already, and is not written over",
            where=str(suite_path),
            next_step="Remove it, or choose another: --write FILE.",
        )


def _write_suite(folder: RunFolder, suite_path: Path, name: str, candidate: Candidate) -> None:
    """The run's suite with one more named variant; checked before it is written.

    Its relative paths count from the suite's own folder, so it belongs beside it.
    """
    from harness.errors import SuiteError, UsageError
    from harness.render.rescue import suite_section
    from harness.suite.read import parse_suite
    from harness.wire.strict_json import write_text

    section = suite_section(name, candidate)
    text = f"{folder.plan().suite_toml.rstrip()}\n\n{section}"
    try:
        parse_suite(text, where=str(suite_path))
    except SuiteError as error:
        raise UsageError(
            f"the variant cannot be added at the suite's end: {error.problem}",
            where=folder.plan().suite_path,
            next_step=f"Add it by hand:\n{section}",
        ) from None
    write_text(suite_path, text)

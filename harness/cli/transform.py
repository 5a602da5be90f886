"""``harness transform STEP``: the steps of preparation on a graph, each by its own command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.transforms.requests import Request

_GRAPH = click.argument("graph", type=click.Path(path_type=Path))
_OUTPUT_FILE = click.option("-o", "--output-file", "result", type=click.Path(path_type=Path), required=True)
_INPUTS = click.option(
    "--input", "inputs", multiple=True, required=True, help="Node or tensor; may be repeated."
)
_OUTPUTS = click.option("--output", "outputs", multiple=True, required=True, help="Node; may be repeated.")


@click.group("transform")
def command() -> None:
    """Prepare a graph for the phone, one step at a time.

    Every step compares the outputs before and after, and fails loudly where they should be equal and are not.
    """


@command.command("strip")
@_GRAPH
@_INPUTS
@_OUTPUTS
@_OUTPUT_FILE
def strip(graph: Path, inputs: tuple[str, ...], outputs: tuple[str, ...], result: Path) -> None:
    """Keep only what leads from the inputs to the outputs: DecodeJpeg and training's leftovers go."""
    from harness.transforms.requests import Strip

    _carry_out(Strip(graph=str(graph), result=str(result), inputs=inputs, outputs=outputs))


@command.command("fold")
@_GRAPH
@_INPUTS
@_OUTPUTS
@_OUTPUT_FILE
def fold(graph: Path, inputs: tuple[str, ...], outputs: tuple[str, ...], result: Path) -> None:
    """Fold batch norms of every kind that TensorFlow 1 wrote into the weights before them."""
    from harness.transforms.requests import FoldBatchNorms

    _carry_out(FoldBatchNorms(graph=str(graph), result=str(result), inputs=inputs, outputs=outputs))


@command.command("round")
@_GRAPH
@_INPUTS
@_OUTPUTS
@_OUTPUT_FILE
@click.option("--levels", type=int, default=256, show_default=True)
@click.option("--all", "every", is_flag=True, help="Biases and small constants too, as the 2016 tool did.")
@click.option("--keep-zero", is_flag=True, help="Let exact zeros stay zero.")
@click.option(
    "--fitted", is_flag=True, help="Place the levels for the least squared error; zips a little less."
)
def round_weights(
    graph: Path,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    result: Path,
    levels: int,
    every: bool,
    keep_zero: bool,
    fitted: bool,
) -> None:
    """Round each weight tensor to 256 levels: still float, same size, but it compresses."""
    from harness.transforms.requests import LEAST_ELEMENTS, RoundWeights

    _carry_out(
        RoundWeights(
            graph=str(graph),
            result=str(result),
            inputs=inputs,
            outputs=outputs,
            levels=levels,
            min_elements=1 if every else LEAST_ELEMENTS,
            keep_zero=keep_zero,
            fitted=fitted,
        )
    )


@command.command("memory-map")
@_GRAPH
@_OUTPUT_FILE
def memory_map(graph: Path, result: Path) -> None:
    """Write the weights so that TensorFlow's memory-mapped file system maps them; read back and compared."""
    from harness.transforms.requests import MemoryMap

    _carry_out(MemoryMap(graph=str(graph), result=str(result)))


@command.command("restore")
@_GRAPH
@_OUTPUT_FILE
def restore(graph: Path, result: Path) -> None:
    """Turn a memory-mapped graph back into a plain one."""
    from harness.transforms.requests import Restore

    _carry_out(Restore(graph=str(graph), result=str(result)))


@command.command("freeze")
@_GRAPH
@click.argument("checkpoint", type=click.Path(path_type=Path))
@_OUTPUTS
@_OUTPUT_FILE
def freeze(graph: Path, checkpoint: Path, outputs: tuple[str, ...], result: Path) -> None:
    """Replace the variables of GRAPH by the values in CHECKPOINT (a prefix such as model.ckpt)."""
    from harness.transforms.requests import Freeze

    _carry_out(Freeze(graph=str(graph), checkpoint=str(checkpoint), result=str(result), outputs=outputs))


@command.command("compare")
@_GRAPH
@click.argument("candidate", type=click.Path(path_type=Path))
@_INPUTS
@_OUTPUTS
def compare(graph: Path, candidate: Path, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
    """Run both graphs on the same random values and tell how far their outputs are apart."""
    from harness.transforms.requests import Compare

    _carry_out(Compare(graph=str(graph), candidate=str(candidate), inputs=inputs, outputs=outputs))


def _carry_out(request: Request) -> None:
    from harness.pipeline.transform import carry_out, described

    for line in described(request, carry_out(request)):
        click.echo(line)

"""The steps as the host runs them: real processes, real files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from small_graphs import built, conv, fused, image, numbers, v1

from harness.errors import ModelError, UsageError
from harness.transforms import requests, worker
from harness.transforms.graphdef_file import read_graphdef, write_graphdef
from harness.transforms.steps import run_step

NAMES: Any = {"inputs": ("x",), "outputs": ("out",)}


def network() -> Any:
    def build() -> None:
        y = tf.nn.relu(tf.identity(fused(conv(image(), 64))[0]))
        tf.nn.softmax(tf.reduce_mean(fused(conv(y, 64, name="conv2"), name="bn2")[0], [1, 2]), name="out")
        tf.nn.tanh(y, name="unused")

    return built(build)


def test_strip_fold_round_memory_map_restore_and_compare_one_after_another(tmp_path: Path) -> None:
    files = {name: str(tmp_path / f"{name}.pb") for name in ("0", "strip", "fold", "round", "map", "back")}
    write_graphdef(Path(files["0"]), network())
    stripped = worker.run(requests.Strip(graph=files["0"], result=files["strip"], **NAMES))
    assert stripped.nodes_after is not None
    assert stripped.nodes_after < stripped.nodes_before
    assert stripped.differences[0].largest_difference == 0.0
    folded = worker.run(requests.FoldBatchNorms(graph=files["strip"], result=files["fold"], **NAMES))
    assert folded.folded == ("bn", "bn2")
    assert folded.differences[0].top1_agreement == 1.0
    rounded = worker.run(requests.RoundWeights(graph=files["fold"], result=files["round"], **NAMES))
    assert rounded.rounded == 2
    assert rounded.result_bytes == Path(files["round"]).stat().st_size
    mapped = worker.run(requests.MemoryMap(graph=files["round"], result=files["map"]))
    assert mapped.mapped_tensors == 1
    assert mapped.mapped_bytes == 3 * 3 * 64 * 64 * 4
    worker.run(requests.Restore(graph=files["map"], result=files["back"]))
    assert read_graphdef(Path(files["back"])) == read_graphdef(Path(files["round"]))
    compared = worker.run(requests.Compare(graph=files["0"], candidate=files["back"], **NAMES))
    assert compared.differences[0].largest_difference == pytest.approx(
        rounded.differences[0].largest_difference, rel=1e-4
    )


def test_a_checkpoint_is_frozen_in_the_worker(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        v1.get_variable("w", initializer=numbers(3), use_resource=True)
        tf.identity(graph.get_tensor_by_name("w/Read/ReadVariableOp:0"), name="out")
        with v1.Session(graph=graph) as session:
            session.run(v1.global_variables_initializer())
            prefix = v1.train.Saver().save(session, str(tmp_path / "model.ckpt"))
    result = str(tmp_path / "frozen.pb")
    request = requests.Freeze(graph=f"{prefix}.meta", checkpoint=prefix, result=result, outputs=("out",))
    assert worker.run(request).nodes_after == 3
    assert {node.op for node in read_graphdef(Path(result)).node} == {"Const", "Identity"}


@pytest.mark.slow
def test_answers_and_errors_of_the_worker_reach_the_host_whole(tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    write_graphdef(path, network())
    result = str(tmp_path / "result.pb")
    with pytest.raises(ModelError) as caught:
        run_step(requests.Strip(graph=str(path), result=result, inputs=("x",), outputs=("uot",)))
    assert (caught.value.problem, caught.value.where) == ("the graph has no node 'uot'", str(path))
    assert "Did you mean 'out'" in caught.value.next_step
    with pytest.raises(UsageError, match="levels is 1"):
        run_step(requests.RoundWeights(graph=str(path), result=result, levels=1, **NAMES))
    assert not Path(result).exists()
    answer = run_step(requests.FoldBatchNorms(graph=str(path), result=result, **NAMES))
    assert answer.folded == ("bn", "bn2")
    assert answer.left_alone == ()
    assert answer.result_bytes == Path(result).stat().st_size


CRASHES = {
    "import os; os.abort()": "SIGABRT",
    "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)": "SIGSEGV",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "SIGKILL",
    "raise SystemExit(5)": "exit status 5",
    "import sys; print('what went wrong', file=sys.stderr); sys.exit(1)": "exit status 1: what went wrong",
    "pass": "exit status 0",
}


@pytest.mark.parametrize("code", CRASHES)
def test_a_worker_that_dies_is_one_error_that_names_the_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ModelError) as caught:
        run_step(requests.Restore(graph="graph.mapped", result="result.pb"))
    assert CRASHES[code] in caught.value.problem
    assert ("out of memory" in caught.value.next_step) == (CRASHES[code] == "SIGKILL")


def test_a_worker_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ModelError, match="did not end within 0 s"):
        run_step(requests.Restore(graph="graph.mapped", result="result.pb"), timeout_s=0.2)


def test_the_host_side_imports_neither_numpy_nor_tensorflow() -> None:
    code = (
        "import sys, harness.transforms.steps\n"
        "print(sorted({'numpy', 'tensorflow'} & {name.partition('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "text",
    [
        '{"step": "strip", "graph": "a", "result": "b", "inputs": [], "outputs": ["y"]}',
        '{"step": "unknown", "graph": "a", "result": "b"}',
        '{"step": "restore", "graph": "a", "result": "b", "more": 1}',
    ],
)
def test_a_request_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        requests.REQUEST.validate_json(text)

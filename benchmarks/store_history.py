"""The history of a thousand runs at an object store over the same in a folder, once both were looked at before."""

from __future__ import annotations

import logging
import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.pairs import interleaved, median_ratio
from benchmarks.processes import timed
from benchmarks.result import Part, Result
from benchmarks.workspace import TINY_MODEL, Workspace
from harness.store import list_runs, read_report
from harness.store.remote.address import StoreAddress
from harness.store.remote.push import push_run
from harness.store.remote.run_store import RunStore

GOAL = 2.5
_RUNS = 1000
_REPETITIONS = 7
_BUCKET = "lab"
_STORE = f"s3://{_BUCKET}/runs-of-all"
_SUITE = f"""version = 1
name = "tiny"
model = {{path = "{TINY_MODEL}"}}
workload = {{task = "tensors", inputs = "inputs.npy"}}
variants = {{recipes = ["float32"]}}
run = {{rounds = 2, warmup = {{min_runs = 1}}, steady = {{min_runs = 40}}}}
"""


def store_history(workspace: Workspace) -> list[Result]:
    """The server is a real one on loopback: what a network adds to each of its few requests is not in the figure."""
    runs = workspace.work / "store-history"
    _make_runs(workspace, runs)
    look: list[str | Path] = [workspace.harness, "history", "--json", "--runs"]

    def at_store_s() -> float:
        return timed([*look, _STORE]).wall_ns / 1e9

    def in_folder_s() -> float:
        return timed([*look, runs]).wall_ns / 1e9

    with _s3_server(workspace.work / "store-cache"):
        _gather(runs)
        first_s = at_store_s()
        in_folder_s()
        pairs = interleaved(at_store_s, in_folder_s, _REPETITIONS)
    ratio, spread = median_ratio(pairs)
    return [
        Result(
            name="store_history",
            figure=ratio,
            unit="×",
            goal=GOAL,
            spread=spread,
            compared=f"`harness history` of {_RUNS} runs at an S3 server on loopback over the same in a folder, both "
            "looked at before, wall time",
            parts=(
                Part(name="at the store", figure=statistics.median(p.measured for p in pairs), unit="s"),
                Part(name="in a folder", figure=statistics.median(p.base for p in pairs), unit="s"),
                Part(name="first look at the store", figure=first_s, unit="s"),
            ),
        )
    ]


def _make_runs(workspace: Workspace, runs: Path) -> None:
    """One run of a tiny model, and its report as of so many other times."""
    runs.mkdir()
    inputs = np.random.default_rng(0).uniform(-1, 1, (12, 8, 8, 3)).astype(np.float32)
    np.save(runs / "inputs.npy", inputs, allow_pickle=False)
    (runs / "tiny.toml").write_text(_SUITE)
    # It has no policy.
    timed([workspace.harness, "run", runs / "tiny.toml", "--runs", runs], statuses=(0, 3))
    report = read_report(list_runs(runs)[-1].path)
    for index in range(1, _RUNS):
        run_id = f"run-{index:04}"
        created_unix_ns = report.plan.created_unix_ns + index * 10**9
        plan = report.plan.model_copy(update={"run_id": run_id, "created_unix_ns": created_unix_ns})
        (runs / run_id).mkdir()
        text = report.model_copy(update={"plan": plan}).model_dump_json(indent=1)
        (runs / run_id / "report.json").write_text(text, encoding="utf-8")


def _gather(runs: Path) -> None:
    """The run is sent whole, of the others their reports."""
    store = RunStore.at(StoreAddress.parse(_STORE))
    push_run(list_runs(runs)[-1].path, store)
    store.place.each(
        lambda path: store.place.write(f"runs/{path.parent.name}/report.json", path.read_bytes()),
        sorted(runs.glob("run-*/report.json")),
    )


@contextmanager
def _s3_server(cache: Path) -> Iterator[None]:
    """In this process, which does nothing else while it is asked; ``cache`` is what the harness keeps its index in."""
    import fsspec
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
        "HARNESS_CACHE": str(cache),
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir(_BUCKET)
        yield
    finally:
        server.stop()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

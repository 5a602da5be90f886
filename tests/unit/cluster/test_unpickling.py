"""Which pickles a worker takes apart. In processes of their own: what is forbidden stays so."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import pickle, sys
from harness.cluster import unpickling
from harness.cluster.entry import perform
from dask._task_spec import Alias, Task
task = Task("key", perform, b"request", Alias("part"))
good = pickle.dumps(task)
class Evil:
    def __reduce__(self):
        import os
        return os.system, ("echo owned",)
bad = {bad}
unpickling.unpickle_only(unpickling.{names})
read = pickle.loads(good) if {takes_tasks} else pickle.loads(pickle.dumps((b"bytes", 1, "text", None)))
print("read", type(read).__name__)
try:
    pickle.loads(bad)
    print("taken")
except unpickling.RefusedPickleError as error:
    print(error)
"""


def _said(names: str, bad: str, *, takes_tasks: bool) -> list[str]:
    program = _PROGRAM.format(names=names, bad=bad, takes_tasks=takes_tasks)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ("pickle.dumps(Evil())", "posix.system"),
        ("pickle.dumps(print)", "builtins.print"),
        ('pickle.dumps(Task("key", print, b"x"))', "builtins.print"),
        ("__import__('cloudpickle').dumps(lambda: 1)", "cloudpickle.cloudpickle._make_function"),
        ('b"cbuiltins\\neval\\n."', "builtins.eval"),
        ('b"\\x80\\x04\\x8c\\x08builtins\\x8c\\x04exec\\x93."', "builtins.exec"),
    ],
)
def test_a_worker_takes_calls_of_the_one_function_apart_and_nothing_else(bad: str, named: str) -> None:
    assert _said("WORKER_NAMES", bad, takes_tasks=True) == [
        "read Task",
        f"a pickle names {named}, which is not allowed",
    ]


def test_a_client_reads_bytes_and_not_even_a_task() -> None:
    said = _said("CLIENT_NAMES", "good", takes_tasks=False)
    assert said == ["read tuple", "a pickle names dask._task_spec.Task, which is not allowed"]

"""The samples of a job's event log as columns: twelve bytes a sample, however the runner grouped them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from harness.core.events import Conditions, Event, JobStarted, Samples, Stage


@dataclass(frozen=True, slots=True, eq=False)
class SampleBlocks:
    """All ``samples`` events of a log, warm-up and steady phase, every attempt, in the order they were written.

    Block ``b`` holds the samples from ``starts[b]`` to ``starts[b + 1]``. ``written_ns`` counts from the start of
    the block's attempt (0: the first); ``conditions`` has the blocks that came with any.
    """

    inputs: NDArray[np.int32]
    latencies_ns: NDArray[np.int64]
    starts: NDArray[np.int64]
    written_ns: NDArray[np.int64]
    attempts: NDArray[np.int32]
    is_steady: NDArray[np.bool_]
    conditions: Mapping[int, Conditions]

    def __len__(self) -> int:
        """How many blocks."""
        return len(self.written_ns)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Samples of each block."""
        return np.diff(self.starts)

    @property
    def steady(self) -> NDArray[np.bool_]:
        """Of each sample, whether its phase is the steady one."""
        return np.repeat(self.is_steady, self.sizes)

    @property
    def runs(self) -> list[tuple[int, int]]:
        """First and past-the-last block of each stretch that has one attempt and one phase."""
        if not len(self):
            return []
        changed = (np.diff(self.attempts) != 0) | (np.diff(self.is_steady.astype(np.int8)) != 0)
        bounds = [0, *(np.flatnonzero(changed) + 1).tolist(), len(self)]
        return list(pairwise(bounds))


def gather(events: Iterable[Event]) -> tuple[tuple[Event, ...], SampleBlocks]:
    """The events that are not samples, and the samples as columns. Reads ``events`` once, keeps none of the blocks."""
    others: list[Event] = []
    inputs, latencies_ns = array("i"), array("q")
    starts, written_ns, attempts, is_steady = array("q", [0]), array("q"), array("i"), array("b")
    conditions: dict[int, Conditions] = {}
    # Many blocks saw the same: one value serves them all.
    known: dict[Conditions, Conditions] = {}
    attempt = -1
    for event in events:
        if not isinstance(event, Samples):
            others.append(event)
            attempt += isinstance(event, JobStarted)
            continue
        if event.conditions is not None:
            conditions[len(written_ns)] = known.setdefault(event.conditions, event.conditions)
        inputs.extend(event.inputs)
        latencies_ns.extend(event.latency_ns)
        starts.append(len(latencies_ns))
        written_ns.append(event.t_ns)
        attempts.append(max(attempt, 0))
        is_steady.append(event.phase is Stage.STEADY)
    return tuple(others), SampleBlocks(
        inputs=np.frombuffer(inputs, np.int32) if inputs else np.empty(0, np.int32),
        latencies_ns=np.frombuffer(latencies_ns, np.int64) if latencies_ns else np.empty(0, np.int64),
        starts=np.frombuffer(starts, np.int64),
        written_ns=np.array(written_ns, np.int64),
        attempts=np.array(attempts, np.int32),
        is_steady=np.array(is_steady, np.bool_),
        conditions=conditions,
    )

"""What a benchmark gives, as values."""

from __future__ import annotations

from typing import Literal

from harness.core.value import Value


class Spread(Value):
    """How far repeated figures lie apart, and what ``low`` and ``high`` are: ``quartiles of 20 pairs``."""

    low: float
    high: float
    of: str


class Part(Value):
    """A figure that explains the headline."""

    name: str
    figure: float
    unit: str


class Result(Value):
    """One figure. ``goal`` is the largest that is still good; ``None``: for information only.

    ``unit`` is ``×`` for a ratio, ``s``, ``ms`` or ``MB`` (10^6 bytes); ``spread`` is ``None`` where there is one
    measurement.
    """

    name: str
    figure: float
    unit: str
    goal: float | None = None
    spread: Spread | None = None
    compared: str
    parts: tuple[Part, ...] = ()

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; ``None`` where there is none."""
        return None if self.goal is None else self.figure <= self.goal


class NotMeasured(Value):
    """A benchmark that this machine cannot run."""

    name: str
    reason: str


class Machine(Value):
    """Where the benchmarks ran.

    ``other_cpu_fraction`` is the share of all cores' time that processes of others took meanwhile; absent where the
    system does not tell.
    """

    system: str
    machine: str
    cpu: str
    logical_cores: int
    memory_bytes: int | None
    python: str
    packages: dict[str, str]
    load_average_1m_before: float
    other_cpu_fraction: float | None

    @property
    def was_quiet(self) -> bool:
        """Whether others hardly took part; then the figures are worth keeping."""
        return self.other_cpu_fraction is not None and self.other_cpu_fraction < 0.05


class Record(Value):
    """One run of the benchmarks: what ``--json`` writes."""

    version: Literal[1] = 1
    unix_ns: int
    harness_version: str
    machine: Machine
    results: tuple[Result, ...]
    not_measured: tuple[NotMeasured, ...] = ()

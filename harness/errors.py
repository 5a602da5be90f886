"""The exception tree: everything a user can cause ends in one of these.

    HarnessError                  exit status 2 unless a subclass says otherwise
    ├── UsageError                2  wrong use: unknown recipe, unknown target, missing option
    ├── InputError                2  a file is missing, empty, truncated or not what it says
    │   ├── SuiteError            2  the suite file, with line and key
    │   ├── ModelError            2  a model file
    │   ├── WorkloadError         2  photos, tensors, labels, truth
    │   └── WireError             2  a job folder or an event log
    ├── RunError                  2  a stored run: missing, incomplete, written by a newer harness
    ├── StoreError                2  a store of runs: out of reach, refuses, holds what it should not
    ├── BuildError                3  a variant could not be built (the run goes on without it)
    └── TargetError               4  the runner or the device: missing, unreachable, gone
        └── TargetBusyError       4  another harness works on it

Each carries what was wrong (``problem``), where (``where``) and what to do next (``next_step``).
The command line catches ``HarnessError`` once, at the top, and prints it without a traceback.
"""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """What a script learns from the exit status of any ``harness`` command."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    UNDECIDED = 3
    TARGET = 4
    INTERRUPTED = 130


class HarnessError(Exception):
    """Something a user can cause, explained.

    ``problem`` is one sentence; ``where`` is a file, a file with line, or a name; ``next_step``
    tells what to do about it.
    """

    exit_status: ExitStatus = ExitStatus.USAGE

    def __init__(self, problem: str, *, where: str | None = None, next_step: str) -> None:
        self.problem = problem
        self.where = where
        self.next_step = next_step
        super().__init__(f"{where}: {problem}" if where else problem)


class UsageError(HarnessError):
    """The command was given something it does not know."""


class InputError(HarnessError):
    """A file is missing, empty, truncated or not what it says."""


class SuiteError(InputError):
    """The suite file does not parse or does not make sense; ``where`` has line and key."""


class ModelError(InputError):
    """A model file cannot be used."""


class WorkloadError(InputError):
    """Inputs, labels or truth cannot be used."""


class WireError(InputError):
    """A job folder or an event log breaks the wire format."""


class RunError(HarnessError):
    """A stored run cannot be used."""


class StoreError(HarnessError):
    """A store of runs cannot be reached, refuses, or holds what it should not."""


class BuildError(HarnessError):
    """A variant could not be built; the rest of the run goes on."""

    exit_status = ExitStatus.UNDECIDED


class TargetError(HarnessError):
    """The target (a runner, a device) cannot be used or was lost."""

    exit_status = ExitStatus.TARGET


class TargetBusyError(TargetError):
    """Another harness works on the device; nothing was done on it."""

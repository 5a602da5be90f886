"""What the event log of a device tells beside its samples: interruptions, sleep, accelerators, caches, runtimes."""

from __future__ import annotations

from core_records import job_log, samples, stage, started

from harness.core.device_findings import find_on_device
from harness.core.events import Conditions, Delegation, Event, Interrupted, Stage
from harness.core.finding import Finding, FindingKind
from harness.core.jobs import Accelerator


def findings(*events: Event, host_runtime: str | None = None) -> list[Finding]:
    log = job_log([started(), *events])
    return find_on_device([log], {}, {}, host_runtime)


def interruption(kind: str) -> Interrupted:
    return Interrupted.model_validate({"t_ns": 1, "kind": kind, "unix_ns": 1})


def delegation(obtained: bool, delegated: int, reason: str | None = None) -> Delegation:
    return Delegation(
        t_ns=1,
        requested=Accelerator.METAL,
        obtained=obtained,
        reason=reason,
        operations=10,
        delegated_operations=delegated,
        partitions=2,
    )


def test_nothing_is_found_where_nothing_happened() -> None:
    assert findings(samples([0], [5], conditions=Conditions(suspended_ns=0))) == []


def test_an_app_that_was_left_is_said() -> None:
    kinds = ("inactive", "background", "foreground", "background", "memory_warning")
    (found,) = findings(*(interruption(kind) for kind in kinds))
    assert (found.kind, found.severity) == (FindingKind.INTERRUPTED, "warning")
    assert "left or locked 2 times, covered by a call or another view 1 time, asked to free" in found.message
    assert findings(interruption("active")) == []


def test_a_device_that_slept_is_said_with_the_longest_sleep() -> None:
    blocks = [
        samples([0], [5], conditions=Conditions(suspended_ns=slept))
        for slept in (0, 3_900_000_000, 50_000_000)
    ]
    (found,) = findings(*blocks)
    assert "slept for 3.9 s" in found.message
    assert findings(blocks[0], blocks[2]) == []


def test_an_accelerator_that_was_not_obtained_is_said_with_the_reason() -> None:
    (found,) = findings(delegation(False, 0, "the runtime found no such accelerator in /app"))
    assert (found.kind, found.severity) == (FindingKind.ACCELERATOR_NOT_USED, "warning")
    assert "asked for metal and ran on the CPU: the runtime found no such" in found.message


def test_an_accelerator_that_took_a_part_is_a_note() -> None:
    (found,) = findings(delegation(True, 8))
    assert found.severity == "note" and "metal took 8 of 10 operations, in 2 partitions" in found.message
    assert findings(delegation(True, 10)) == []


def test_a_weight_cache_that_was_written_is_a_note() -> None:
    def compiled(state: str) -> Event:
        return stage(Stage.COMPILE, 5).model_copy(update={"weight_cache": state})

    (found,) = findings(compiled("built"), compiled("used"), compiled("used"))
    assert found.kind is FindingKind.WEIGHT_CACHE_BUILT and found.message.startswith("1 of 3 processes")
    assert findings(compiled("used")) == []


def test_another_runtime_than_the_hosts_is_a_warning() -> None:
    version = started().runtime.version
    assert findings(host_runtime=version) == []
    (found,) = findings(host_runtime="99.0.0")
    assert found.kind is FindingKind.RUNTIME_MISMATCH
    assert f"ran on LiteRT {version}, this host has 99.0.0" in found.message

"""The language of faults, and when a fault begins."""

from __future__ import annotations

import asyncio
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.virtual_iphone.active_faults import ActiveFaults
from harness.virtual_iphone.faults import (
    FAULT_KINDS,
    AppCrash,
    Disconnect,
    DiskFull,
    Fault,
    Heat,
    Locked,
    Moment,
    SlowLink,
    format_fault,
    parse_fault,
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("locked", Locked()),
        ("disconnect:after-bytes=1000000", Disconnect(after_bytes=1000000)),
        (" slow-link:latency-ms=2.5, mib-per-s=35 ", SlowLink(latency_ms=2.5, mib_per_s=35.0)),
        ("heat:state=critical,at=sample", Heat(state="critical", at="sample")),
        ("app-crash:signal=SIGABRT,after-s=0.5", AppCrash(signal="SIGABRT", after_s=0.5)),
        ("disk-full:", DiskFull()),
    ],
)
def test_a_fault_is_read_and_written(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault
    assert parse_fault(format_fault(fault)) == fault


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_every_kind_alone_is_a_fault(kind: str) -> None:
    assert format_fault(parse_fault(kind)) == kind
    assert parse_fault(kind).effect


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no such fault: ''"),
        ("disconect", "no such fault: 'disconect'"),
        ("disconnect:after=1", "'after=1' is not one setting of disconnect"),
        ("disconnect:after-bytes", "'after-bytes' is not one setting"),
        ("disconnect:after-bytes=1,after-bytes=2", "not one setting"),
        ("disconnect:after-bytes=many", "after-bytes: Input should be a valid integer"),
        ("disconnect:after-bytes=-1", "greater than or equal to 0"),
        ("disconnect:at=lunch", "at: Input should be 'connect'"),
        ("low-battery:level=12", "less than or equal to 1"),
        ("slow-link:mib-per-s=0", "greater than 0"),
        ("slow-link:mib-per-s=inf", "finite"),
    ],
)
def test_what_is_no_fault_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_fault(text)
    assert said in str(refused.value)
    assert refused.value.next_step


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=40)
    | st.sampled_from(sorted(FAULT_KINDS)).flatmap(lambda k: st.just(f"{k}:") | st.just(k))
)
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        fault = parse_fault(text)
    except UsageError:
        return
    assert parse_fault(format_fault(fault)) == fault


def fired(faults: ActiveFaults) -> list[Moment]:
    happened: list[Moment] = []
    faults.on_moment(happened.append)
    return happened


def test_a_fault_begins_at_its_byte() -> None:
    faults = ActiveFaults()
    happened = fired(faults)
    faults.add(Disconnect(after_bytes=10))
    assert faults.bytes_until_next_moment() == 10
    faults.carried(9)
    assert (happened, faults.bytes_until_next_moment()) == ([], 1)
    faults.carried(1)
    assert happened == [Disconnect(after_bytes=10)]
    assert (faults.all(), faults.bytes_until_next_moment()) == ([], sys.maxsize)


def test_bytes_count_from_the_event_where_one_is_named() -> None:
    faults = ActiveFaults()
    happened = fired(faults)
    faults.add(Disconnect(at="push", after_bytes=10))
    faults.carried(1000)
    faults.happened("pull")
    assert not happened
    faults.happened("push")
    faults.happened("push")
    faults.carried(10)
    assert len(happened) == 1


def test_a_lasting_fault_waits_too_and_is_there_from_then_on() -> None:
    async def work() -> tuple[Heat | None, Heat | None, Heat | None]:
        faults = ActiveFaults()
        faults.add(Heat(after_s=0.01))
        before = faults.get(Heat)
        await asyncio.sleep(0.1)
        during = faults.get(Heat)
        faults.clear(Heat)
        return before, during, faults.get(Heat)

    assert asyncio.run(work()) == (None, Heat(after_s=0.01), None)


def test_a_cleared_fault_does_not_happen() -> None:
    async def work() -> list[Moment]:
        faults = ActiveFaults()
        happened = fired(faults)
        faults.add(Disconnect(after_s=0.01))
        faults.add(AppCrash(at="launch"))
        faults.clear()
        faults.happened("launch")
        await asyncio.sleep(0.05)
        return happened

    assert asyncio.run(work()) == []

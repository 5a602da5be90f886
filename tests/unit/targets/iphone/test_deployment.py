"""What goes to a phone, what stays there, and what makes room."""

from __future__ import annotations

from harness.core.jobs import Blob
from harness.targets.iphone.deployment import (
    PARKED_DAYS,
    RESERVE_BYTES,
    FileThere,
    JobThere,
    Owner,
    clearing,
    outdated,
    parked_name,
    plan_push,
)

OURS, THEIRS = "a" * 32, "b" * 32
DAY_NS = 86_400 * 10**9


def blob(letter: str, size: int) -> Blob:
    return Blob(sha256=letter * 64, bytes=size)


def there(name: str, size: int, age: int = 0) -> FileThere:
    return FileThere(name=name, bytes=size, modified_unix_ns=age)


def test_what_is_there_is_not_pushed() -> None:
    needed = [blob("1", 100), blob("2", 200), blob("3", 300)]
    found = {"1" * 64: there("1" * 64, 100), "2" * 64: there("2" * 64, 199)}
    plan = plan_push(needed, found, (), RESERVE_BYTES + 10_000)
    assert plan.push == (needed[1], needed[2])
    assert (plan.bytes, plan.bytes_there, plan.missing_bytes) == (500, 100, 0)
    assert plan.remove_parked == plan.remove_blobs == ()


def test_room_is_made_by_the_rule() -> None:
    """Parked jobs before blobs, the oldest first, no more than needed, never what the job needs."""
    needed = [blob("1", 1000)]
    parked = [there("new", 300, age=9), there("old", 300, age=1)]
    others = {"7" * 64: there("7" * 64, 400, age=5), "8" * 64: there("8" * 64, 400, age=2)}
    plan = plan_push(needed, others, parked, RESERVE_BYTES + 50)
    assert plan.remove_parked == ("old", "new")
    assert plan.remove_blobs == ("8" * 64,)
    assert plan.missing_bytes == 0
    plan = plan_push(needed, others, parked, RESERVE_BYTES + 800)
    assert (plan.remove_parked, plan.remove_blobs) == (("old",), ())


def test_no_room_at_all() -> None:
    plan = plan_push([blob("1", 1000)], {"2" * 64: there("2" * 64, 10)}, (), RESERVE_BYTES + 100)
    assert plan.missing_bytes == 890


def test_a_blob_that_is_needed_is_not_removed_with_its_marker() -> None:
    needed = [blob("1", 10), blob("2", 5000)]
    found = {"1" * 64: there("1" * 64, 10), "1" * 64 + ".verified": there("1" * 64 + ".verified", 0)}
    assert plan_push(needed, found, (), RESERVE_BYTES).remove_blobs == ()


def test_jobs_of_other_runs_are_parked_or_removed() -> None:
    ours = JobThere(name="r00-int8", owner=Owner(token=OURS, created_unix_ns=1), has_log=True)
    measured = JobThere(name="r01-int8", owner=Owner(token=THEIRS, created_unix_ns=1), has_log=True)
    untouched = JobThere(name="r02-int8", owner=Owner(token=THEIRS, created_unix_ns=1), has_log=False)
    nobodys = JobThere(name="r03-int8", owner=None, has_log=True)
    plan = clearing([ours, measured, untouched, nobodys], OURS)
    assert plan.park == (measured,)
    assert plan.remove == ("r02-int8", "r03-int8")
    assert parked_name(measured) == f"{THEIRS}+r01-int8"


def test_what_was_parked_a_week_ago_goes() -> None:
    now_ns = 100 * DAY_NS
    kept = there("kept", 1, age=now_ns - (PARKED_DAYS - 1) * DAY_NS)
    gone = there("gone", 1, age=now_ns - (PARKED_DAYS + 1) * DAY_NS)
    assert outdated([kept, gone], now_ns) == ("gone",)

"""What iOS wrote about a process that it ended: crash reports and JetsamEvent reports. Pure, and trusting nothing.

Both are an ``.ips`` file: one line of JSON (the header), then a JSON document. Apple documents the crash report
("Interpreting the JSON format of a crash report") and the jetsam report ("Identifying high-memory use with jetsam
event reports"); there ``rpages`` counts pages of ``memoryStatus.pageSize`` bytes, and the process that was killed is
the one with a ``reason``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.value import Value
from harness.wire.strict_json import parse_object

_WATCHDOG_CODE = 0x8BADF00D


class Jetsam(Value):
    """The system ended the process for memory."""

    reason: str
    """``per-process-limit``, ``vm-pageshortage`` and the like."""
    footprint_bytes: int | None = None
    limit_bytes: int | None = None


class Crash(Value):
    """The process died of an exception or was ended for a stated reason."""

    exception: str
    """``EXC_BAD_ACCESS``, or empty."""
    signal: str
    termination: str
    is_watchdog: bool


def parse_report(text: str, process_name: str, pid: int | None) -> Jetsam | Crash | None:
    """What the report says about the process; ``None`` where it is about another one or is not readable."""
    header_text, _, body_text = text.partition("\n")
    try:
        header, body = parse_object(header_text), parse_object(body_text)
    except ValueError:
        return None
    if header.get("bug_type") == "298" or "memoryStatus" in body:
        return _jetsam(body, process_name, pid)
    return _crash(body, process_name, pid)


def _jetsam(body: Mapping[str, Any], process_name: str, pid: int | None) -> Jetsam | None:
    status = _mapping(body.get("memoryStatus"))
    page_bytes = _whole(status.get("pageSize")) or _whole(body.get("pageSize"))
    processes = body.get("processes")
    for process in processes if isinstance(processes, list) else []:
        entry = _mapping(process)
        reason = entry.get("reason")
        if not isinstance(reason, str) or not _is_process(entry, "name", process_name, pid):
            continue
        pages, limit_pages = _whole(entry.get("rpages")), _whole(entry.get("memoryLimit"))
        return Jetsam(
            reason=reason,
            footprint_bytes=pages * page_bytes if pages is not None and page_bytes else None,
            # Not every iOS states it; the runner's own figures tell it too.
            limit_bytes=limit_pages * page_bytes if limit_pages is not None and page_bytes else None,
        )
    return None


def _crash(body: Mapping[str, Any], process_name: str, pid: int | None) -> Crash | None:
    if not _is_process(body, "procName", process_name, pid):
        return None
    exception, termination = _mapping(body.get("exception")), _mapping(body.get("termination"))
    code = _whole(termination.get("code"))
    indicator = _text(termination.get("indicator"))
    namespace = _text(termination.get("namespace"))
    reasons = termination.get("reasons")
    words = [
        namespace,
        f"0x{code:x}" if code is not None else "",
        indicator,
        *(str(reason) for reason in (reasons if isinstance(reasons, list) else [])[:1]),
    ]
    return Crash(
        exception=_text(exception.get("type")),
        signal=_text(exception.get("signal")),
        termination=" ".join(word for word in words if word)[:300],
        is_watchdog=code == _WATCHDOG_CODE or "watchdog" in f"{indicator} {reasons}".lower(),
    )


def _is_process(entry: Mapping[str, Any], name_key: str, process_name: str, pid: int | None) -> bool:
    found_pid = _whole(entry.get("pid"))
    if pid is not None and found_pid is not None:
        return pid == found_pid
    return entry.get(name_key) == process_name


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value[:200] if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62 else None

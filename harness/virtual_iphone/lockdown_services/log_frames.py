"""Log lines as os_trace_relay's activity stream carries them.

The record's layout is Apple's private one, known by its fields: a fixed header whose sizes name the texts that
follow, each ended by a zero. The parts that no public client reads are zero.
"""

from __future__ import annotations

import struct
import time
import uuid

from harness.virtual_iphone.system_log import LogLine

# 9 unknown, pid, process id of 64 bits, the executable's UUID, 18 unknown, seconds, 4 unknown, microseconds,
# 1 unknown, level, 6 unknown, mach time, thread, the sender image's UUID, sizes of image name and message,
# 2 unknown, offset in the image, sizes of subsystem and category, 4 unknown.
_RECORD = struct.Struct("<9xIQ16s18xI4xIxB6xQQ16sHH2xIII4x")
_LEVEL_NOTICE = 0
_LONGEST_TEXT_BYTES = 0xFFF0
_CHUNK = struct.Struct("<BI")
_RECORD_CHUNK = 2


def log_record(line: LogLine) -> bytes:
    """One record, with the marker and the length that go before it in the stream."""
    executable = f"/private/var/containers/Bundle/Application/{line.process}.app/{line.process}"
    image = line.image.encode() + b"\0"
    message = line.message.encode("utf-8", "replace")[:_LONGEST_TEXT_BYTES] + b"\0"
    identity = uuid.uuid5(uuid.NAMESPACE_URL, executable).bytes
    seconds, nanoseconds = divmod(line.unix_ns, 1_000_000_000)
    record = _RECORD.pack(
        line.pid,
        line.pid,
        identity,
        seconds,
        nanoseconds // 1000,
        _LEVEL_NOTICE,
        line.unix_ns // 42,
        line.pid,
        identity,
        len(image),
        len(message),
        0,
        0,
        0,
    )
    payload = record + executable.encode() + b"\0" + image + message
    return _CHUNK.pack(_RECORD_CHUNK, len(payload)) + payload


def syslog_text(line: LogLine, device_name: str) -> bytes:
    """One line as syslog_relay sends it: the classic form, ended by a newline and a zero."""
    stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(line.unix_ns / 1e9))
    text = f"{stamp} {device_name.replace(' ', '-')} {line.process}[{line.pid}] <Notice>: {line.message}"
    return text.encode("utf-8", "replace").replace(b"\0", b"") + b"\n\0"

"""Times pushes to a phone, pymobiledevice3's own and the harness's in turn: ``push_worker.py UDID BUNDLE FILE PAIRS``.

A process of its own, as the harness's worker is. Prints one JSON list of [ours, theirs] in nanoseconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from pathlib import Path

from pymobiledevice3.lockdown import create_using_usbmux
from pymobiledevice3.services.house_arrest import HouseArrestService

from harness.core.jobs import Blob
from harness.targets.iphone.device.files import PhoneFiles

_ANSWER_S = 60.0


async def _measure(udid: str, bundle_id: str, file: Path, pairs: int) -> list[tuple[int, int]]:
    client = await create_using_usbmux(serial=udid)
    blob = Blob(sha256=hashlib.sha256(file.read_bytes()).hexdigest(), bytes=file.stat().st_size)

    async def theirs() -> int:
        async with await HouseArrestService.create(client, bundle_id, documents_only=True) as afc:
            started_ns = time.monotonic_ns()
            await afc.push(str(file), "Documents/theirs", progress_bar=False)
            return time.monotonic_ns() - started_ns

    async def ours() -> int:
        async with PhoneFiles(client, bundle_id, _ANSWER_S) as files:
            started_ns = time.monotonic_ns()
            await files.push_blob(file, "Documents/ours", blob)
            return time.monotonic_ns() - started_ns

    await theirs(), await ours()
    figures = []
    for index in range(pairs):
        if index % 2:
            first = await ours()
            figures.append((first, await theirs()))
        else:
            first = await theirs()
            figures.append((await ours(), first))
    return figures


def main() -> None:
    udid, bundle_id, file, pairs = sys.argv[1:]
    print(json.dumps(asyncio.run(_measure(udid, bundle_id, Path(file), int(pairs)))))


if __name__ == "__main__":
    main()

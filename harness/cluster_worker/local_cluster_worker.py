"""Scheduler and worker of this machine in one process: ``python -m …local_cluster_worker FOLDER``.

``FOLDER`` holds ``options.json`` and the certificates; the scheduler's address is printed as a line of JSON. The
process ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from pathlib import Path
from typing import Any

from harness.cluster.address import ClusterAddress
from harness.cluster.scheduler import run_scheduler
from harness.cluster.security import security_of
from harness.cluster.unpickling import SCHEDULER_NAMES, unpickle_only
from harness.cluster_worker.serve import Serving, WorkerOptions
from harness.pipeline.choose_target import TargetSettings
from harness.pipeline.local_cluster import LocalOptions
from harness.targets.iphone.messages import LaunchMode
from harness.wire.strict_json import read_value


async def _serve(options: LocalOptions, folder: Path) -> None:
    address = ClusterAddress(scheme=options.scheme, host="127.0.0.1", port=options.port)
    security = security_of(address, folder)
    stopping = asyncio.Event()
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    scheduler = asyncio.create_task(
        run_scheduler(address, security, on_address=listening.set_result, stopping=stopping)
    )
    either: tuple[asyncio.Future[Any], ...] = (scheduler, listening)
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if not listening.done():
        await scheduler
    where = await listening
    print(json.dumps({"address": where}), flush=True)
    serving = Serving(
        WorkerOptions(
            scheduler=where,
            security=security,
            folder=Path(options.state),
            settings=TargetSettings(
                cache=Path(options.cache),
                runner=Path(options.runner) if options.runner else None,
                launch=LaunchMode(options.launch),
            ),
            cores=options.cores,
            offers_machine=False,
            host="127.0.0.1",
            offers_phones=options.offers_phones,
        ),
        lambda text: print(text, file=sys.stderr, flush=True),
    )
    loop = asyncio.get_running_loop()

    def end_with_input() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(serving.stop)

    threading.Thread(target=end_with_input, daemon=True).start()
    await serving.run()
    stopping.set()
    await scheduler


def main(arguments: list[str]) -> int:
    """Exit status 0 at the end of standard input."""
    folder = Path(arguments[0])
    options = read_value(folder / "options.json", LocalOptions, next_step="Run the command again.")
    unpickle_only(SCHEDULER_NAMES)
    asyncio.run(_serve(options, folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

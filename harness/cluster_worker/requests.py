"""What this worker does when it is asked: the one place where bytes from the cluster become work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

import harness.errors
from harness.cluster.messages import (
    PART_BYTES,
    REQUEST,
    AnyAnswer,
    AnyNote,
    AnyRequest,
    Done,
    Forget,
    JobRan,
    Lacking,
    ReadPart,
    ReceivePart,
    Refused,
    RunJob,
    RunShard,
    Started,
)
from harness.cluster_worker.device_jobs import DamagedBlobsError, DeviceJobs, NotWantedError
from harness.cluster_worker.storage import WorkerStorage
from harness.errors import HarnessError, TargetError, WireError
from harness.shards.request import ShardRequest
from harness.shards.worker import ShardWorker
from harness.wire.job_folder import job_folder
from harness.wire.strict_json import explain, parse_object

logger = logging.getLogger(__name__)

_LARGEST_REQUEST_BYTES: Final = 16 * 1024 * 1024
_SAME_RELEASE: Final = "Install the same release of the harness on every machine of the cluster."

Answer = tuple[AnyAnswer, tuple[bytes, ...]]


class Requests:
    """Answers requests, from several threads at once."""

    def __init__(
        self, storage: WorkerStorage, devices: Mapping[str, DeviceJobs], shards: ShardWorker | None
    ) -> None:
        """``devices`` go by their resources' names; they may come and go."""
        self._storage = storage
        self._devices = devices
        self._shards = shards

    def answer(
        self,
        document: bytes,
        address: str,
        parts: tuple[bytes, ...],
        is_wanted: Callable[[], bool],
        publish: Callable[[str, AnyNote], None],
    ) -> tuple[bytes, ...]:
        """An answer as JSON, and the bytes beside it. Whatever goes wrong is an answer too.

        ``address`` is the worker's own, to which it is sent what it lacks; ``is_wanted`` tells whether somebody waits;
        ``publish`` takes a topic and a note on the way.
        """
        try:
            answer, beside = self._answer(_read(document), address, parts, is_wanted, publish)
        except HarnessError as error:
            answer, beside = _refused(error), ()
        except NotWantedError:
            answer, beside = (
                _refused(TargetError("the job was given up", next_step="Go on: harness run --resume.")),
                (),
            )
        except OSError as error:
            logger.warning("a request failed: %s", error)
            answer, beside = (
                _refused(
                    TargetError(
                        f"the worker's machine says: {error.strerror or error}",
                        where=address,
                        next_step="See to its disk: harness worker keeps what it needs in its --folder.",
                    )
                ),
                (),
            )
        except Exception as error:
            logger.exception("a request failed")
            problem = f"the worker failed: {type(error).__name__}: {error}"[:500]
            answer, beside = (
                _refused(TargetError(problem, next_step="See the worker's log, and report it.")),
                (),
            )
        return (answer.model_dump_json(exclude_none=True).encode(), *beside)

    def _answer(
        self,
        request: AnyRequest,
        address: str,
        parts: tuple[bytes, ...],
        is_wanted: Callable[[], bool],
        publish: Callable[[str, AnyNote], None],
    ) -> Answer:
        match request:
            case RunJob():
                return self._run_job(request, address, is_wanted, publish)
            case ReadPart():
                root = self._storage.session(request.session)
                data = self._storage.read_part(
                    root, request.job_id, request.name, request.first_byte, request.byte_count
                )
                return Done(), (data,)
            case ReceivePart():
                if len(parts) != 1:
                    raise WireError("a part of a blob came without its bytes", next_step=_SAME_RELEASE)
                self._storage.receive(request, parts[0])
                return Done(), ()
            case Forget():
                self._device(request.device).forget(request)
                return Done(), ()
            case RunShard():
                return self._run_shard(request, address, parts)

    def _run_job(
        self,
        request: RunJob,
        address: str,
        is_wanted: Callable[[], bool],
        publish: Callable[[str, AnyNote], None],
    ) -> Answer:
        device = self._device(request.device)
        root = self._storage.session(request.session)
        lacking = self._storage.lacking(root, request.blobs)
        if lacking:
            return Lacking(address=address, blobs=lacking), ()

        def notify(note: AnyNote) -> None:
            publish(request.topic, note)

        notify(Started(call=request.call))
        try:
            outcome, root = device.run(request, is_wanted, notify)
        except DamagedBlobsError:
            return Lacking(address=address, blobs=self._storage.lacking(root, request.blobs)), ()
        files = self._storage.results(root, request.job.job_id)
        is_inline = sum(file.bytes for file in files) <= PART_BYTES
        beside = [_bytes_of(root, request.job.job_id, file.name) for file in files] if is_inline else []
        return JobRan(address=address, outcome=outcome, files=files, is_inline=is_inline), tuple(beside)

    def _run_shard(self, request: RunShard, address: str, parts: tuple[bytes, ...]) -> Answer:
        if self._shards is None:
            raise TargetError("this worker computes no shards", next_step="Start it with --cores.")
        try:
            parse_object(request.request)
            shard = ShardRequest.model_validate_json(request.request)
        except ValidationError as error:
            raise WireError(f"is no shard: {explain(error)}", next_step=_SAME_RELEASE) from None
        except ValueError as error:
            raise WireError(f"is no shard: {error}", next_step=_SAME_RELEASE) from None
        missing = tuple(blob for blob in shard.blobs if not self._storage.holds(blob))
        if missing:
            return Lacking(address=address, blobs=missing), ()
        return Done(), (self._shards.run(shard, parts),)

    def _device(self, name: str) -> DeviceJobs:
        try:
            return self._devices[name]
        except KeyError:
            raise TargetError(
                "the device is not attached to this worker any more", where=name, next_step="Attach it again."
            ) from None


def _bytes_of(root: Path, job_id: str, name: str) -> bytes:
    return (job_folder(root, job_id) / name).read_bytes()


def _read(document: bytes) -> AnyRequest:
    if len(document) > _LARGEST_REQUEST_BYTES:
        raise WireError("the request is too large", next_step=_SAME_RELEASE)
    try:
        parse_object(document)
        return REQUEST.validate_json(document)
    except ValidationError as error:
        raise WireError(f"is no request: {explain(error)}", next_step=_SAME_RELEASE) from None
    except ValueError as error:
        raise WireError(f"is no request: {error}", next_step=_SAME_RELEASE) from None


def _refused(error: HarnessError) -> Refused:
    """The error by the nearest class that the other side has too."""
    known = next(kind for kind in type(error).__mro__ if getattr(harness.errors, kind.__name__, None) is kind)
    return Refused(kind=known.__name__, problem=error.problem, where=error.where, next_step=error.next_step)

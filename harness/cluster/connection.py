"""The harness's end of a cluster: asks its workers, and asks again where a worker or the scheduler died."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from harness.cluster.answers import Answer, read_answer
from harness.cluster.dask_client import close_client, open_client
from harness.cluster.devices import Announced, announced_by
from harness.cluster.entry import perform
from harness.cluster.messages import (
    NOTE,
    PART_BYTES,
    AnyNote,
    AnyRequest,
    Lacking,
    ReceivePart,
)
from harness.errors import TargetError, WireError
from harness.wire.blobs import BlobStore
from harness.wire.strict_json import parse_object

if TYPE_CHECKING:
    from distributed import Client, Future, Security

OnNote = Callable[[AnyNote], None]

_POLL_S = 0.5
_LOOK_S = 2.0
_CONNECT_S = 5.0
_INLINE_BYTES = 64 * 1024
_MOST_SUPPLIES = 5
_AWAY = (OSError, RuntimeError, TypeError, ValueError, KeyError, AssertionError, MemoryError)
"""Dask raises any of these where the scheduler or a worker goes away under a call, or says what is no message."""


class LostError(Exception):
    """Whoever was to answer is gone; the request may be made again."""


class NobodyThereError(TargetError):
    """No worker has announced what the request needs, for as long as the patience lasts."""


@dataclass(frozen=True)
class Need:
    """What a worker must have announced to be asked: one unit of ``resource``, taken while it answers."""

    resource: str
    description: str
    """What a person calls it."""


class Listener(Protocol):
    """Who is told how a call goes on; called from any thread."""

    @property
    def call(self) -> str:
        """By which the call's notes are known."""
        ...

    def hear(self, note: AnyNote) -> None: ...

    def still_waits(self, *, is_there: bool) -> None:
        """Every few seconds until the answer comes; ``is_there``: a worker has what the call needs."""
        ...


class Cluster:
    """Workers behind one scheduler. Usable from several threads at once."""

    def __init__(
        self, address: str, security: Security | None, *, patience_s: float, connect_s: float = _CONNECT_S
    ) -> None:
        """``patience_s``: how long a scheduler, a worker or a device that is gone is waited for.

        Raises:
            TargetError: the scheduler does not answer within ``connect_s``.
        """
        self.address = address
        self._security = security
        self._patience_s = patience_s
        self.topic = uuid.uuid4().hex
        self._listeners: dict[str, OnNote] = {}
        self._lock = threading.Lock()
        self._seen: tuple[float, tuple[Announced, ...]] = (-_LOOK_S, ())
        self._is_closed = False
        self._client: Client | None = self._connected(connect_s)

    def announced(self, *, within_s: float = 0.0) -> tuple[Announced, ...]:
        """What the workers have announced, at most ``within_s`` ago.

        Raises:
            LostError: the scheduler is gone.
        """
        seen_s, announced = self._seen
        if time.monotonic() - seen_s > within_s:
            client = self._client_now()
            try:
                workers: Mapping[str, Mapping[str, Any]] = client.scheduler_info()["workers"]
            except (OSError, RuntimeError, TypeError) as problem:
                raise LostError(str(problem)) from problem
            announced = announced_by(workers)
            self._seen = (time.monotonic(), announced)
        return announced

    def call(
        self,
        request: AnyRequest,
        need: Need,
        *,
        parts: tuple[bytes, ...] = (),
        blobs: BlobStore | None = None,
        listener: Listener | None = None,
        given_up: threading.Event | None = None,
    ) -> Answer:
        """The answer of a worker that has what ``need`` names, and the bytes beside it.

        What the worker lacks is sent to it from ``blobs``. Where it dies on the way, or the scheduler does, the request
        is made again: a request is such that it may be. Nobody waits for the answer any more once ``given_up`` is set.

        Raises:
            HarnessError: the worker says why it cannot be done: of the class that it says.
            NobodyThereError: nobody has what is needed, or the scheduler is gone, for as long as the patience lasts.
            WireError: the answer is none, or the worker lacks again and again what it was sent.
        """
        waiting = _Patience(self._patience_s, given_up)
        question = _Question(request, waiting, need=need, parts=parts, listener=listener)
        supplied = 0
        while True:
            try:
                answer, beside = self._ask(question)
                waiting.restart()
                if not isinstance(answer, Lacking) or blobs is None:
                    return answer, beside
                if supplied == _MOST_SUPPLIES:
                    raise WireError(
                        f"the worker was sent what it lacks {supplied} times and lacks it still",
                        where=answer.address,
                        next_step="See that its disk has room, and start it again.",
                    )
                self._supply(answer, blobs, waiting)
                supplied += 1
            except LostError as lost:
                waiting.check(f"the cluster at {self.address} does not answer: {lost}", need, self.address)
                supplied = 0
                time.sleep(_POLL_S)

    def call_worker(self, request: AnyRequest, worker: str) -> Answer:
        """The answer of the worker at ``worker``, whatever its devices are at.

        Raises:
            HarnessError: the worker says why it cannot be done: of the class that it says.
            LostError: it is gone, or the scheduler is.
            WireError: the answer is none.
        """
        return self._ask(_Question(request, _Patience(self._patience_s, None), worker=worker))

    def close(self) -> None:
        """Leave the cluster; what is still asked is given up. From any thread."""
        self._is_closed = True
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            close_client(client)

    def _supply(self, lacking: Lacking, store: BlobStore, waiting: _Patience) -> None:
        """Send each blob in parts, to that worker alone.

        Raises:
            LostError: it died.
            WireError: ``store`` does not hold one of them, or a damaged one.
        """
        for blob in lacking.blobs:
            store.verify(blob)
            transfer = uuid.uuid4().hex
            with store.path(blob).open("rb") as file:
                for first_byte in range(0, max(blob.bytes, 1), PART_BYTES):
                    part = ReceivePart(blob=blob, transfer=transfer, first_byte=first_byte)
                    self._ask(
                        _Question(part, waiting, worker=lacking.address, parts=(file.read(PART_BYTES),))
                    )
                    waiting.restart()

    def _ask(self, question: _Question) -> Answer:
        client = self._client_now()
        request, need, worker, listener = (
            question.request,
            question.need,
            question.worker,
            question.listener,
        )
        if listener is not None:
            self._listeners[listener.call] = listener.hear
        futures: list[Future[Any]] = []
        try:
            placed = self._placed(client, question.parts, worker or self._where(need))
            futures += [one for one in placed if not isinstance(one, bytes)]
            future = client.submit(
                perform,
                request.model_dump_json().encode(),
                *placed,
                key=f"{request.op}-{uuid.uuid4().hex}",
                pure=False,
                resources={need.resource: 1} if need else None,
                workers=[worker] if worker else None,
            )
            futures.append(future)
            self._await(client, future, question)
            raw = client.gather(future, direct=True)
        except _AWAY as problem:
            raise LostError(f"{type(problem).__name__}: {problem}"[:300]) from problem
        finally:
            if listener is not None:
                self._listeners.pop(listener.call, None)
            with suppress(Exception):
                # What is not wanted any more, as after Ctrl-C, ends on the worker too.
                client.cancel(futures)
        return read_answer(raw)

    def _await(self, client: Client, future: Future[Any], question: _Question) -> None:
        """Until the future has an answer.

        Raises:
            LostError: it never will.
        """
        need, waiting = question.need, question.waiting
        ended = threading.Event()
        future.add_done_callback(lambda done: ended.set())
        looked_s = time.monotonic() - _LOOK_S / 2
        while not ended.wait(_POLL_S) and future.status == "pending":
            if self._is_closed or client.status != "running" or waiting.is_over:
                raise LostError("the scheduler is gone")
            if time.monotonic() - looked_s < _LOOK_S:
                continue
            looked_s = time.monotonic()
            announced = self.announced(within_s=_LOOK_S / 2)
            if need is None:
                if all(one.address != question.worker for one in announced):
                    raise LostError("the worker is gone")
                continue
            is_there = any(one.resource == need.resource for one in announced)
            if question.listener is not None:
                question.listener.still_waits(is_there=is_there)
            if is_there:
                waiting.restart()
            else:
                waiting.check(f"no worker has {need.description}", need, self.address)
        if future.status != "finished":
            raise LostError(f"the request was given up ({future.status}): its workers died")

    def _where(self, need: Need | None) -> str | None:
        found = [
            one.address for one in self.announced(within_s=_LOOK_S) if need and one.resource == need.resource
        ]
        return found[0] if len(found) == 1 else None

    @staticmethod
    def _placed(client: Client, parts: Sequence[bytes], worker: str | None) -> list[Any]:
        """Small parts as they are; large ones sent ahead, past the scheduler."""
        placed: list[Any] = []
        for part in parts:
            if len(part) <= _INLINE_BYTES:
                placed.append(bytes(part))
                continue
            placed += client.scatter(
                [bytes(part)], workers=[worker] if worker else None, direct=True, hash=False
            )
        return placed

    def _client_now(self) -> Client:
        with self._lock:
            if self._is_closed:
                raise TargetError(
                    "the work on this cluster was ended",
                    where=self.address,
                    next_step="Go on: harness run --resume.",
                )
            if self._client is None or self._client.status != "running":
                if self._client is not None:
                    close_client(self._client)
                    self._client = None
                try:
                    self._client = self._connected(_CONNECT_S)
                except TargetError as problem:
                    raise LostError(problem.problem) from problem
            return self._client

    def _connected(self, timeout_s: float) -> Client:
        client = open_client(self.address, self._security, timeout_s)
        client.subscribe_topic(f"harness-{self.topic}", self._heard)
        return client

    def _heard(self, event: tuple[float, object]) -> None:
        """A note from a worker; what is none, or nobody waits for, is passed over."""
        _, text = event
        try:
            parse_object(str(text).encode())
            note = NOTE.validate_json(str(text))
        except (ValueError, ValidationError):
            return
        listener = self._listeners.get(note.call)
        if listener is not None:
            listener(note)


@dataclass(frozen=True)
class _Question:
    """What is asked: of who has what is needed, or else of one worker, by its address."""

    request: AnyRequest
    waiting: _Patience
    need: Need | None = None
    worker: str | None = None
    parts: tuple[bytes, ...] = ()
    listener: Listener | None = None


class _Patience:
    """A limit on how long something is missing, and whether it is still waited for."""

    def __init__(self, limit_s: float, given_up: threading.Event | None) -> None:
        self._limit_s = limit_s
        self._given_up = given_up
        self.restart()

    @property
    def is_over(self) -> bool:
        return self._given_up is not None and self._given_up.is_set()

    def restart(self) -> None:
        self._since_s = time.monotonic()

    def check(self, problem: str, need: Need, where: str) -> None:
        if self.is_over:
            raise TargetError("it was given up", where=where, next_step="Run the command again.")
        if time.monotonic() - self._since_s > self._limit_s:
            raise NobodyThereError(
                f"{problem} (waited {self._limit_s:g} s)",
                where=where,
                next_step=f"See that a worker runs where {need.description} is, then go on: harness run --resume.",
            )

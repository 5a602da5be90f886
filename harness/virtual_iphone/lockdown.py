"""lockdown: the phone's door. It tells values, pairs hosts, opens sessions and starts services."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from harness.virtual_iphone.faults import TrustDenied, TrustPending
from harness.virtual_iphone.lockdown_values import PROTECTED_DOMAINS, read_value
from harness.virtual_iphone.pairing import InvalidPairRecordError, Pairing
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.plist_frames import read_plist, write_plist
from harness.virtual_iphone.streams import Stream

_LARGEST_REQUEST_BYTES = 1024 * 1024


class _RefusedError(Exception):
    """A request that lockdown answers with an error of this name."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


async def serve_lockdown(stream: Stream, phone: Phone, *, is_trusted: bool = False) -> None:
    """Answer one client until it leaves; ``is_trusted`` where it came through a tunnel, as only paired hosts do."""
    await _Conversation(stream, phone, is_trusted=is_trusted).run()


class _Conversation:
    def __init__(self, stream: Stream, phone: Phone, *, is_trusted: bool) -> None:
        self._stream = stream
        self._phone = phone
        self._came_trusted = is_trusted
        self._session: tuple[str, Pairing] | None = None
        self._answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "QueryType": lambda _: {"Type": "com.apple.mobile.lockdown"},
            "GetValue": self._get_value,
            "SetValue": self._set_value,
            "RemoveValue": self._remove_value,
            "Pair": self._pair,
            "ValidatePair": self._validate_pair,
            "Unpair": self._unpair,
            "StartService": self._start_service,
            "EnterRecovery": lambda _: {},
            "Goodbye": lambda _: {},
        }

    async def run(self) -> None:
        while True:
            request = await read_plist(self._stream, _LARGEST_REQUEST_BYTES)
            name = request.get("Request")
            answer: dict[str, Any] = {"Request": name if isinstance(name, str) else ""}
            try:
                if name == "StartSession":
                    await self._start_session(request, answer)
                elif name == "StopSession":
                    await self._stop_session(answer)
                    return
                else:
                    handler = self._answers.get(str(name))
                    if handler is None:
                        raise _RefusedError("InvalidRequest")
                    await write_plist(self._stream, answer | handler(request) | {"Result": "Success"})
            except _RefusedError as refused:
                await write_plist(self._stream, answer | {"Result": "Failure", "Error": refused.error})

    async def _start_session(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        if self._session is not None:
            raise _RefusedError("SessionActive")
        pairing = self._phone.pairings.find(request.get("HostID"))
        if pairing is None:
            raise _RefusedError("InvalidHostID")
        session_id = str(uuid.uuid4()).upper()
        await write_plist(
            self._stream, answer | {"Result": "Success", "SessionID": session_id, "EnableSessionSSL": True}
        )
        await self._stream.start_tls(self._phone.pairings.tls_context(pairing))
        self._session = session_id, pairing
        self._phone.happened("session")

    async def _stop_session(self, answer: dict[str, Any]) -> None:
        self._session = None
        # The phone ends TLS and with it the connection; a client that wants more connects again.
        await write_plist(self._stream, answer | {"Result": "Success"})

    @property
    def _is_trusted(self) -> bool:
        return self._came_trusted or self._session is not None

    def _get_value(self, request: dict[str, Any]) -> dict[str, Any]:
        domain, key = request.get("Domain"), request.get("Key")
        if not self._is_trusted and domain in PROTECTED_DOMAINS:
            raise _RefusedError("GetProhibited")
        value = read_value(self._phone, domain, key, is_trusted=self._is_trusted)
        if value is None:
            raise _RefusedError("MissingValue")
        answer: dict[str, Any] = {"Value": value}
        return answer | {name: text for name, text in (("Domain", domain), ("Key", key)) if text}

    def _set_value(self, request: dict[str, Any]) -> dict[str, Any]:
        key = self._changeable_key(request)
        self._phone.set_values[(str(request.get("Domain") or ""), key)] = request.get("Value")
        return {"Key": key}

    def _remove_value(self, request: dict[str, Any]) -> dict[str, Any]:
        key = self._changeable_key(request)
        self._phone.set_values.pop((str(request.get("Domain") or ""), key), None)
        return {"Key": key}

    def _changeable_key(self, request: dict[str, Any]) -> str:
        key = request.get("Key")
        if not self._is_trusted or not isinstance(key, str):
            raise _RefusedError("SetProhibited")
        return key

    def _pair(self, request: dict[str, Any]) -> dict[str, Any]:
        phone = self._phone
        if phone.is_locked:
            raise _RefusedError("PasswordProtected")
        if phone.faults.get(TrustDenied) is not None:
            raise _RefusedError("UserDeniedPairing")
        if phone.faults.get(TrustPending) is not None and not phone.trust_dialog_accepted(time.monotonic()):
            raise _RefusedError("PairingDialogResponsePending")
        try:
            phone.pairings.pair(request.get("PairRecord"))
        except InvalidPairRecordError:
            raise _RefusedError("InvalidPairRecord") from None
        return {"EscrowBag": uuid.uuid4().bytes * 2}

    def _validate_pair(self, request: dict[str, Any]) -> dict[str, Any]:
        record = request.get("PairRecord")
        if self._phone.pairings.find(record.get("HostID") if isinstance(record, dict) else None) is None:
            raise _RefusedError("InvalidHostID")
        return {}

    def _unpair(self, request: dict[str, Any]) -> dict[str, Any]:
        record = request.get("PairRecord")
        if not self._phone.pairings.unpair(record.get("HostID") if isinstance(record, dict) else None):
            raise _RefusedError("InvalidHostID")
        return {}

    def _start_service(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._session is None:
            raise _RefusedError("InvalidConnection")
        service = self._phone.services.find(str(request.get("Service")), self._phone)
        if service is None:
            raise _RefusedError("InvalidService")
        if service.needs_unlocked and self._phone.is_locked:
            raise _RefusedError("PasswordProtected")
        port = self._phone.ports.open(service, self._session[1])
        return {"Service": service.name, "Port": port, "EnableServiceSSL": True}

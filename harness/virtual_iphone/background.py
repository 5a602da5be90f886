"""Virtual phones on a thread of their own, for a program that is not asynchronous or that is the client itself."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast, overload

from harness.virtual_iphone.faults import Fault, parse_fault
from harness.virtual_iphone.identity import DEFAULT_IOS, PhoneIdentity
from harness.virtual_iphone.phone import DEFAULT_MEMORY_LIMIT_BYTES, Phone
from harness.virtual_iphone.programs import Programs
from harness.virtual_iphone.virtual_phones import Address, VirtualPhones, phone_setups

T = TypeVar("T")


class BackgroundPhones:
    """Running phones, used from any thread."""

    def __init__(self, phones: VirtualPhones, loop: asyncio.AbstractEventLoop) -> None:
        self._phones = phones
        self._loop = loop

    @property
    def usbmuxd_address(self) -> str:
        """For ``USBMUXD_SOCKET_ADDRESS``."""
        return self._phones.usbmuxd_address

    @property
    def identities(self) -> list[PhoneIdentity]:
        return [phone.identity for phone in self._phones.phones]

    @overload
    def call(self, action: Callable[[Phone], Coroutine[Any, Any, T]], phone: int = 0) -> T: ...

    @overload
    def call(self, action: Callable[[Phone], T], phone: int = 0) -> T: ...

    def call(self, action: Callable[[Phone], T | Coroutine[Any, Any, T]], phone: int = 0) -> T:
        """What ``action`` returns, called with a phone on the phones' own thread; awaited where it is awaitable."""

        async def run() -> T:
            result = action(self._phones.phones[phone])
            return cast(T, await result if inspect.isawaitable(result) else result)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def set_fault(self, fault: Fault | str, phone: int = 0) -> None:
        """Put a fault in force, as a value or as text.

        Raises:
            UsageError: the text is no fault.
        """
        value = parse_fault(fault) if isinstance(fault, str) else fault
        self.call(lambda its: its.faults.add(value), phone)

    def clear_faults(self, phone: int = 0) -> None:
        self.call(lambda its: its.faults.clear(), phone)


@contextlib.contextmanager
def background_phones(
    programs: Programs,
    *,
    ios: Sequence[str] = (DEFAULT_IOS,),
    model: str | None = None,
    faults: Sequence[Fault | str] = (),
    memory_limit_bytes: int = DEFAULT_MEMORY_LIMIT_BYTES,
    address: Address | None = None,
    first_index: int = 0,
) -> Iterator[BackgroundPhones]:
    """One phone for each release in ``ios``; everything they were is gone at the end.

    ``first_index`` numbers the first of them: phones of different numbers have different identities.

    Raises:
        UsageError: an unknown release, model or fault.
    """
    values = tuple(parse_fault(fault) if isinstance(fault, str) else fault for fault in faults)
    with tempfile.TemporaryDirectory(prefix="phone-") as folder:
        setups = phone_setups(
            Path(folder),
            programs,
            ios,
            model=model,
            faults=values,
            memory_limit_bytes=memory_limit_bytes,
            first_index=first_index,
        )
        with _running(VirtualPhones(setups, Path(folder), address)) as phones:
            yield phones


@contextlib.contextmanager
def _running(phones: VirtualPhones) -> Iterator[BackgroundPhones]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="virtual-iphone", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(phones.__aenter__(), loop).result()
        try:
            yield BackgroundPhones(phones, loop)
        finally:
            asyncio.run_coroutine_threadsafe(phones.__aexit__(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

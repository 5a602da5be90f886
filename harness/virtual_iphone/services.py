"""The services a phone offers by name, and what each needs; lockdown starts them, a tunnel reaches them too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.virtual_iphone.phone import Phone
    from harness.virtual_iphone.streams import Stream

Handler = Callable[["Stream", "Phone"], Awaitable[None]]


def _always(phone: Phone) -> bool:
    del phone
    return True


@dataclass(frozen=True)
class Service:
    """One service.

    ``handler`` talks to one client until the stream ends; it may raise ``StreamEndedError`` and
    ``ProtocolViolationError``, which close the connection. ``is_there`` tells whether lockdown knows the service
    at all: developer services exist only once an image is mounted. ``over_tunnel`` tells whether a tunnel reaches it
    too.
    """

    name: str
    handler: Handler
    needs_unlocked: bool = False
    is_there: Callable[[Phone], bool] = _always
    over_tunnel: bool = True


class ServiceRegistry:
    """Services by name."""

    def __init__(self, services: Iterable[Service] = ()) -> None:
        self._services = {service.name: service for service in services}

    def add(self, service: Service) -> None:
        self._services[service.name] = service

    def find(self, name: str, phone: Phone) -> Service | None:
        """The service, where the phone has it now."""
        service = self._services.get(name)
        return service if service is not None and service.is_there(phone) else None

    def names(self, phone: Phone) -> list[str]:
        return [name for name, service in self._services.items() if service.is_there(phone)]

"""What all services behind a channel share: selectors bound to methods, arguments checked before a method sees them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, TypeVar

from harness.virtual_iphone.instruments.dtx_connection import CallError, unknown_selector
from harness.virtual_iphone.instruments.keyed_archive import NSError

_METHOD_DOMAIN = "DTXMessage"
Method = TypeVar("Method", bound=Callable[..., Awaitable[object]])


def selector(name: str, *kinds: type) -> Callable[[Method], Method]:
    """Bind a method to the Objective-C selector ``name``, whose arguments are of ``kinds``."""

    def bind(method: Method) -> Method:
        method.__dict__["selector"] = (name, kinds)
        return method

    return bind


class SelectorService:
    """A service whose methods carry ``selector``; everything else is refused as the phone refuses it."""

    _selectors: ClassVar[dict[str, tuple[str, tuple[type, ...]]]] = {}

    def __init_subclass__(cls) -> None:
        cls._selectors = {
            bound[0]: (name, bound[1])
            for name, method in vars(cls).items()
            if (bound := getattr(method, "selector", None)) is not None
        }

    async def invoke(self, selector: str, arguments: list[Any]) -> object:
        if selector not in self._selectors:
            raise CallError(unknown_selector(selector))
        name, kinds = self._selectors[selector]
        if len(arguments) != len(kinds):
            raise CallError(_bad_call(selector, f"{len(arguments)} arguments instead of {len(kinds)}"))
        for position, (argument, kind) in enumerate(zip(arguments, kinds, strict=True), start=1):
            if not isinstance(argument, kind):
                raise CallError(_bad_call(selector, f"argument {position} is no {kind.__name__}"))
        result: object = await getattr(self, name)(*arguments)
        return result

    async def close(self) -> None:
        """Nothing to undo, unless a service says otherwise."""


def _bad_call(selector: str, reason: str) -> NSError:
    return NSError.described(_METHOD_DOMAIN, 1, f"In invocation of method '{selector}': {reason}")

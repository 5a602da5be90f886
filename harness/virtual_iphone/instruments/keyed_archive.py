"""NSKeyedArchiver archives: the form of every object in a DTX message.

An archive is a binary property list with a flat table, ``$objects``, whose entries name each other by index (a plist
``UID``); a composite entry names its class with ``$class``. Entry 0 stands for nil. Format as written by Foundation's
``NSKeyedArchiver`` and read by swift-corelibs-foundation's ``NSKeyedUnarchiver``.
"""

from __future__ import annotations

import datetime
import plistlib
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from harness.virtual_iphone.streams import ProtocolViolationError

_T = TypeVar("_T")

_ARCHIVER = "NSKeyedArchiver"
_VERSION = 100_000
_NIL = plistlib.UID(0)
_COCOA_EPOCH = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)

# A client's largest archive, the configuration of a tap, stays below a kilobyte.
_MAX_ARCHIVE_BYTES = 4 * 1024 * 1024
_MAX_DEPTH = 64
# plistlib promises InvalidFileException (a ValueError) and lets the others through for some damage.
_PLIST_DAMAGE = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    RecursionError,
    MemoryError,
    struct.error,
)

_SUPERCLASSES = {
    "NSArray": ("NSObject",),
    "NSDictionary": ("NSObject",),
    "NSDate": ("NSObject",),
    "NSError": ("NSObject",),
    "NSNull": ("NSObject",),
    "NSUUID": ("NSObject",),
    "DTSysmonTapMessage": ("DTTapMessage", "NSObject"),
    "DTTapStatusMessage": ("DTTapMessage", "NSObject"),
}


class ArchiveError(ProtocolViolationError):
    """Not an archive, or one of a class that has no place in a message to a phone."""


@dataclass(frozen=True)
class NSError:
    """An Objective-C error: what an error reply carries."""

    domain: str
    code: int
    user_info: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def described(cls, domain: str, code: int, description: str, **more: Any) -> NSError:
        """An error with the text that a person sees, ``NSLocalizedDescription``."""
        return cls(domain, code, {"NSLocalizedDescription": description, **more})


@dataclass(frozen=True)
class TapMessage:
    """What a tap (``sysmontap``) pushes: a property list under a class name, ``DT…TapMessage``."""

    class_name: str
    content: Any


def archive(value: object) -> bytes:
    """The archive of ``value``: plain values, lists, dictionaries, dates, UUIDs, and the classes above.

    Raises:
        ArchiveError: a type that has no Objective-C counterpart here, or an integer beyond 64 bits.
    """
    archiver = _Archiver()
    root = archiver.add(value)
    document = {
        "$version": _VERSION,
        "$archiver": _ARCHIVER,
        "$top": {"root": root},
        "$objects": archiver.objects,
    }
    try:
        return plistlib.dumps(document, fmt=plistlib.FMT_BINARY)
    except OverflowError as error:
        raise ArchiveError(f"an integer has no place in an archive: {error}") from error


class _Archiver:
    def __init__(self) -> None:
        self.objects: list[Any] = ["$null"]
        self._classes: dict[str, plistlib.UID] = {}
        self._scalars: dict[tuple[type, object], plistlib.UID] = {}

    def add(self, value: object) -> plistlib.UID:
        if value is None:
            return _NIL
        if isinstance(value, bool | int | float | str | bytes):
            key = (type(value), value)
            if key not in self._scalars:
                self._scalars[key] = self._append(value)
            return self._scalars[key]
        # The entry takes its place before its members, as Foundation lays archives out.
        uid = self._append(None)
        self.objects[uid.data] = self._composite(value)
        return uid

    def _append(self, entry: object) -> plistlib.UID:
        self.objects.append(entry)
        return plistlib.UID(len(self.objects) - 1)

    def _composite(self, value: object) -> dict[str, Any]:
        match value:
            case list() | tuple():
                return {
                    "NS.objects": [self._member(item) for item in value],
                    "$class": self._class("NSArray"),
                }
            case dict():
                return {
                    "NS.keys": [self._member(key) for key in value],
                    "NS.objects": [self._member(item) for item in value.values()],
                    "$class": self._class("NSDictionary"),
                }
            case NSError():
                return {
                    "NSDomain": self.add(value.domain),
                    "NSCode": value.code,
                    "NSUserInfo": self.add(dict(value.user_info)),
                    "$class": self._class("NSError"),
                }
            case TapMessage():
                return {"DTTapMessagePlist": self.add(value.content), "$class": self._class(value.class_name)}
            case datetime.datetime():
                return {"NS.time": (value - _COCOA_EPOCH).total_seconds(), "$class": self._class("NSDate")}
            case uuid.UUID():
                return {"NS.uuidbytes": value.bytes, "$class": self._class("NSUUID")}
        raise ArchiveError(f"{type(value).__name__} has no counterpart in an archive")

    def _member(self, value: object) -> plistlib.UID:
        """Collections hold no nil: NSNull stands in for it."""
        return self.add(value) if value is not None else self._append({"$class": self._class("NSNull")})

    def _class(self, name: str) -> plistlib.UID:
        if name not in self._classes:
            superclasses = _SUPERCLASSES.get(name, ("NSObject",))
            self._classes[name] = self._append({"$classname": name, "$classes": [name, *superclasses]})
        return self._classes[name]


def unarchive(data: bytes) -> Any:
    """The value in an archive; nothing but the classes a client sends is ever built.

    Raises:
        ArchiveError: not a whole archive, an unknown class, a cycle, or nested deeper than 64.
    """
    if len(data) > _MAX_ARCHIVE_BYTES:
        raise ArchiveError(f"an archive of {len(data)} bytes, more than {_MAX_ARCHIVE_BYTES}")
    try:
        document = plistlib.loads(data, fmt=plistlib.FMT_BINARY)
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        OverflowError,
        RecursionError,
        MemoryError,
        struct.error,
    ) as error:
        raise ArchiveError(f"not a binary property list: {type(error).__name__}") from error
    if not isinstance(document, dict) or document.get("$archiver") != _ARCHIVER:
        raise ArchiveError("not a keyed archive")
    if document.get("$version") != _VERSION:
        raise ArchiveError(f"archive version {document.get('$version')!r}, not {_VERSION}")
    objects, top = document.get("$objects"), document.get("$top")
    if not isinstance(objects, list) or not isinstance(top, dict):
        raise ArchiveError("an archive without $objects or $top")
    return _Unarchiver(objects).value(top.get("root"))


class _Unarchiver:
    def __init__(self, objects: list[Any]) -> None:
        self._objects = objects
        self._done: dict[int, Any] = {}
        self._open: set[int] = set()

    def value(self, reference: object) -> Any:
        if not isinstance(reference, plistlib.UID):
            raise ArchiveError("a reference is missing")
        index = reference.data
        if index == 0:
            return None
        if index >= len(self._objects):
            raise ArchiveError(f"object {index} of {len(self._objects)}")
        if index in self._done:
            return self._done[index]
        if index in self._open:
            raise ArchiveError("an object contains itself")
        if len(self._open) >= _MAX_DEPTH:
            raise ArchiveError(f"nested deeper than {_MAX_DEPTH}")
        self._open.add(index)
        self._done[index] = self._decode(self._objects[index])
        self._open.discard(index)
        return self._done[index]

    def _decode(self, entry: object) -> Any:
        if isinstance(entry, bool | int | float | str | bytes):
            return entry
        if not isinstance(entry, dict):
            raise ArchiveError(f"a bare {type(entry).__name__} among the objects")
        name = self._class_name(entry.get("$class"))
        match name:
            case "NSArray" | "NSMutableArray" | "NSSet" | "NSMutableSet":
                return [self.value(item) for item in _list(entry, "NS.objects")]
            case "NSDictionary" | "NSMutableDictionary":
                return self._dictionary(entry)
            case "NSString" | "NSMutableString":
                return self._plain(entry, "NS.string", str)
            case "NSData" | "NSMutableData":
                return self._plain(entry, "NS.data", bytes)
            case "NSDate":
                return self._date(entry)
            case "NSUUID":
                return self._uuid(entry)
            case "NSNull":
                return None
            case "NSError":
                user_info = self.value(entry.get("NSUserInfo", _NIL)) or {}
                if not isinstance(user_info, dict):
                    raise ArchiveError("NSUserInfo is no dictionary")
                return NSError(
                    self._plain(entry, "NSDomain", str), self._plain(entry, "NSCode", int), user_info
                )
        raise ArchiveError(f"class {name} has no place in a message to a phone")

    def _class_name(self, reference: object) -> str:
        if not isinstance(reference, plistlib.UID) or reference.data >= len(self._objects):
            raise ArchiveError("an object without a class")
        described = self._objects[reference.data]
        name = described.get("$classname") if isinstance(described, dict) else None
        if not isinstance(name, str):
            raise ArchiveError("a class without a name")
        return name

    def _dictionary(self, entry: dict[str, Any]) -> dict[Any, Any]:
        keys = [self.value(key) for key in _list(entry, "NS.keys")]
        values = [self.value(item) for item in _list(entry, "NS.objects")]
        if len(keys) != len(values):
            raise ArchiveError(f"a dictionary of {len(keys)} keys and {len(values)} values")
        if not all(isinstance(key, bool | int | float | str | bytes) for key in keys):
            raise ArchiveError("a dictionary key that is no plain value")
        return dict(zip(keys, values, strict=True))

    def _plain(self, entry: dict[str, Any], key: str, kind: type[_T]) -> _T:
        found = entry.get(key)
        if isinstance(found, plistlib.UID):
            found = self.value(found)
        if not isinstance(found, kind):
            raise ArchiveError(f"{key} is no {kind.__name__}")
        return found

    def _date(self, entry: dict[str, Any]) -> datetime.datetime:
        try:
            return _COCOA_EPOCH + datetime.timedelta(seconds=float(self._plain(entry, "NS.time", float)))
        except (OverflowError, ValueError) as error:
            raise ArchiveError("a date beyond the calendar") from error

    def _uuid(self, entry: dict[str, Any]) -> uuid.UUID:
        data = self._plain(entry, "NS.uuidbytes", bytes)
        if len(data) != 16:
            raise ArchiveError(f"a UUID of {len(data)} bytes")
        return uuid.UUID(bytes=data)


def _list(entry: dict[str, Any], key: str) -> list[Any]:
    found = entry.get(key)
    if not isinstance(found, list):
        raise ArchiveError(f"{key} is no list")
    return found

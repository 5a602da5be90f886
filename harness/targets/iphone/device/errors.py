"""From pymobiledevice3's exceptions to the harness's own kinds of trouble."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

from pymobiledevice3 import exceptions as phone
from pymobiledevice3.dtx.exceptions import DTXNsError, DTXProtocolError
from pymobiledevice3.services.afc import AfcError

from harness.targets.iphone.trouble import PhoneTrouble, Trouble

# The first that fits counts: subclasses stand before their bases.
_KINDS: tuple[tuple[type[BaseException], Trouble], ...] = (
    (phone.ConnectionFailedToUsbmuxdError, Trouble.USBMUXD_ABSENT),
    (phone.NoDeviceConnectedError, Trouble.NOT_ATTACHED),
    (phone.DeviceNotFoundError, Trouble.NOT_ATTACHED),
    (phone.BadDevError, Trouble.NOT_ATTACHED),
    (phone.PairingDialogResponsePendingError, Trouble.TRUST_PENDING),
    (phone.UserDeniedPairingError, Trouble.TRUST_DENIED),
    (phone.PasswordRequiredError, Trouble.LOCKED),
    (phone.PasscodeRequiredError, Trouble.LOCKED),
    (phone.NotPairedError, Trouble.TRUST_PENDING),
    (phone.NotTrustedError, Trouble.TRUST_PENDING),
    (phone.InvalidHostIDError, Trouble.TRUST_PENDING),
    (phone.FatalPairingError, Trouble.TRUST_PENDING),
    (phone.PairingError, Trouble.TRUST_PENDING),
    (phone.DeveloperModeIsNotEnabledError, Trouble.DEVELOPER_MODE_OFF),
    (phone.InvalidServiceError, Trouble.IMAGE_MISSING),
    (phone.UserspaceTunnelUnavailableError, Trouble.UNSUPPORTED_IOS),
    (phone.AppNotInstalledError, Trouble.RUNNER_MISSING),
    (phone.AppInstallError, Trouble.NOT_INSTALLED),
    (phone.ConnectionTerminatedError, Trouble.LOST),
    (phone.ChannelClosedError, Trouble.LOST),
    (phone.NotConnectedError, Trouble.LOST),
    (phone.MuxException, Trouble.LOST),
    (DTXProtocolError, Trouble.LOST),
    (asyncio.IncompleteReadError, Trouble.LOST),
    (asyncio.TimeoutError, Trouble.SILENT),
    (ConnectionError, Trouble.LOST),
)
# FBSOpenApplicationErrorDomain and the sentences iOS gives with it.
_LOCKED = re.compile(r"locked|could not be,? unlocked|passcode", re.IGNORECASE)
_UNTRUSTED = re.compile(r"not been explicitly trusted|invalid code signature|Security|profile", re.IGNORECASE)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise as ``PhoneTrouble`` whatever a call into pymobiledevice3 raises; ``what`` was being done."""
    try:
        yield
    except (PhoneTrouble, asyncio.CancelledError):
        raise
    except phone.AfcException as error:
        raise _afc(error, what) from error
    except DTXNsError as error:
        raise PhoneTrouble(_launch_kind(str(error)), f"the phone refused to {what}: {error}") from error
    except Exception as error:
        for kind_of_error, kind in _KINDS:
            if isinstance(error, kind_of_error):
                raise PhoneTrouble(kind, f"{_sentence(error)} ({what})") from error
        if isinstance(error, OSError):
            raise PhoneTrouble(Trouble.LOST, f"{error.strerror or error} ({what})") from error
        raise PhoneTrouble(Trouble.REFUSED, f"{type(error).__name__}: {error} ({what})") from error


def _afc(error: phone.AfcException, what: str) -> PhoneTrouble:
    if error.status == AfcError.NO_SPACE_LEFT:
        return PhoneTrouble(Trouble.NO_ROOM, f"the phone's storage is full ({what})")
    return PhoneTrouble(Trouble.REFUSED, f"the phone's file service said {error.status!r} ({what})")


def _launch_kind(said: str) -> Trouble:
    if _UNTRUSTED.search(said):
        return Trouble.DEVELOPER_UNTRUSTED
    return Trouble.LOCKED if _LOCKED.search(said) else Trouble.REFUSED


def _sentence(error: BaseException) -> str:
    """Its first line: usbmuxd and lockdown put whole replies behind it."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:300]

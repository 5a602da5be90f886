"""What can be wrong between this machine and a phone, and what to do about each."""

from __future__ import annotations

from enum import StrEnum


class Trouble(StrEnum):
    """The kinds of trouble that are told apart."""

    USBMUXD_ABSENT = "usbmuxd-absent"
    NOT_ATTACHED = "not-attached"
    TRUST_PENDING = "trust-pending"
    TRUST_DENIED = "trust-denied"
    LOCKED = "locked"
    UNSUPPORTED_IOS = "unsupported-ios"
    DEVELOPER_MODE_OFF = "developer-mode-off"
    IMAGE_MISSING = "image-missing"
    DEVELOPER_UNTRUSTED = "developer-untrusted"
    RUNNER_MISSING = "runner-missing"
    RUNNER_OLD = "runner-old"
    NOT_INSTALLED = "not-installed"
    NO_ROOM = "no-room"
    LOST = "lost"
    SILENT = "silent"
    NOBODY_TAPPED = "nobody-tapped"
    REFUSED = "refused"

    @property
    def advice(self) -> str:
        return _ADVICE[self]

    @property
    def is_link_gone(self) -> bool:
        """Whether the phone went away in the middle of work, so that coming back mends it."""
        return self in (Trouble.LOST, Trouble.SILENT, Trouble.NOT_ATTACHED)


_ADVICE = {
    Trouble.USBMUXD_ABSENT: "Start usbmuxd (Debian: apt install usbmuxd; Windows: install Apple Devices).",
    Trouble.NOT_ATTACHED: "Attach the phone with a data cable, unlock it, and look for it with 'harness devices'.",
    Trouble.TRUST_PENDING: "Unlock the phone and tap Trust in the dialog it shows, then try again.",
    Trouble.TRUST_DENIED: "Unplug the phone, plug it in again and tap Trust this time.",
    Trouble.LOCKED: "Unlock the phone and leave it unlocked: Settings > Display & Brightness > Auto-Lock > Never.",
    Trouble.UNSUPPORTED_IOS: "Update the phone to iOS 17.4 or later, or run with --launch tap and tap the app.",
    Trouble.DEVELOPER_MODE_OFF: "Turn on Settings > Privacy & Security > Developer Mode, or run with --launch tap.",
    Trouble.IMAGE_MISSING: "Mount the disk image: pymobiledevice3 mounter auto-mount; or run with --launch tap.",
    Trouble.DEVELOPER_UNTRUSTED: "On the phone: Settings > General > VPN & Device Management > your team > Trust.",
    Trouble.RUNNER_MISSING: "Install it: harness install RUNNER.ipa.",
    Trouble.RUNNER_OLD: "Install this harness's runner: harness install RUNNER.ipa.",
    Trouble.NOT_INSTALLED: "Check that the .ipa is signed for this phone (its UDID stands in the profile).",
    Trouble.NO_ROOM: "Free some room on the phone, or run fewer inputs.",
    Trouble.LOST: "Check the cable, then go on: harness run --resume.",
    Trouble.SILENT: "Unlock the phone, plug it in again or restart it, then go on: harness run --resume.",
    Trouble.NOBODY_TAPPED: "Tap Harness Runner on the phone's home screen, then go on: harness run --resume.",
    Trouble.REFUSED: "Run 'harness doctor --target iphone', which checks each step.",
}


class PhoneTrouble(Exception):  # noqa: N818
    """Raised below ``device``; crosses the pipe as a ``Failed`` reply."""

    def __init__(self, kind: Trouble, problem: str) -> None:
        super().__init__(problem)
        self.kind = kind
        self.problem = problem

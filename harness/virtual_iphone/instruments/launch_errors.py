"""Why a phone did not launch an app, in the words of iOS, which tools recognise."""

from __future__ import annotations

from harness.virtual_iphone.instruments.keyed_archive import NSError
from harness.virtual_iphone.processes import LaunchRefusedError

_PROCESS_CONTROL_DOMAIN = "com.apple.dt.deviceprocesscontrolservice"
_FRONT_BOARD_DOMAIN = "FBSOpenApplicationErrorDomain"
_SERVICE_DOMAIN = "FBSOpenApplicationServiceErrorDomain"
# Reason → code and name in FBSOpenApplicationErrorDomain.
_FRONT_BOARD_CODES = {
    "untrusted-developer": (3, "Security"),
    "not-installed": (4, "NotFound"),
    "cannot-run": (2, "InvalidRequest"),
    "locked": (7, "Locked"),
}


def reason_text(refused: LaunchRefusedError) -> str:
    """FrontBoard's own sentence for the refusal."""
    app = refused.bundle_id
    match refused.reason:
        case "untrusted-developer":
            return (
                f"Unable to launch {app} because it has an invalid code signature, inadequate entitlements "
                "or its profile has not been explicitly trusted by the user."
            )
        case "locked":
            return f"Unable to launch {app} because the device was not, or could not be, unlocked."
        case "not-installed":
            return f'Application info provider (FBSApplicationLibrary) returned nil for "{app}"'
        case "cannot-run":
            return f"Unable to launch {app} because its executable is none that this phone can run."


def launch_error(refused: LaunchRefusedError) -> NSError:
    """The error that instruments' process control answers a refused launch with."""
    reason = reason_text(refused)
    code, name = _FRONT_BOARD_CODES[refused.reason]
    front_board = NSError(
        _FRONT_BOARD_DOMAIN,
        code,
        {
            "BSErrorCodeDescription": name,
            "NSLocalizedDescription": f"The operation couldn’t be completed. {reason}",
            "NSLocalizedFailureReason": reason,
        },
    )
    service = NSError(
        _SERVICE_DOMAIN,
        1,
        {
            "BSErrorCodeDescription": "RequestDenied",
            "NSLocalizedDescription": f'The request to open "{refused.bundle_id}" failed.',
            "NSLocalizedFailureReason": (
                f'The request was denied by service delegate (SBMainWorkspace) for reason: {name} ("{reason}").'
            ),
            "NSUnderlyingError": front_board,
        },
    )
    return NSError(
        _PROCESS_CONTROL_DOMAIN,
        2,
        {
            "NSLocalizedDescription": (
                f"Request to launch {refused.bundle_id} failed. The operation couldn’t be completed. {reason}"
            ),
            "NSLocalizedFailureReason": f"Failed to launch process with bundle identifier '{refused.bundle_id}'.",
            "NSUnderlyingError": service,
        },
    )

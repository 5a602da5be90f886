"""CoreDevice's app service: launching and listing apps by RemoteXPC, as Xcode does it since iOS 17."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from harness.virtual_iphone.instruments.launch_errors import reason_text
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.processes import AppProcess, LaunchRefusedError
from harness.virtual_iphone.streams import ProtocolViolationError, Stream
from harness.virtual_iphone.tunnel.remote_xpc import RemoteXpcConnection

NAME = "com.apple.coredevice.appservice"
_FEATURE = "com.apple.coredevice.feature."
_ERROR_DOMAIN = "com.apple.dt.CoreDeviceError"
# What Xcode and devicectl show for an app that did not launch.
_LAUNCH_FAILED = 10002
_INVALID_REQUEST = 9


class FeatureError(Exception):
    """A request that is answered with an error of CoreDevice."""

    def __init__(self, code: int, description: str, reason: str = "") -> None:
        super().__init__(description)
        user_info = {"NSLocalizedDescription": description}
        if reason:
            user_info["NSLocalizedFailureReason"] = reason
        self.body = {"domain": _ERROR_DOMAIN, "code": code, "userInfo": user_info}


async def serve_app_service(stream: Stream, phone: Phone) -> None:
    """Answer one client until it leaves.

    Raises:
        ProtocolViolationError: no request of CoreDevice.
        StreamEndedError: the client left.
    """
    connection = RemoteXpcConnection(stream)
    await connection.accept()
    features = AppFeatures(phone)
    while True:
        message = await connection.receive()
        request = message.body
        if not isinstance(request, dict) or not isinstance(request.get("CoreDevice.featureIdentifier"), str):
            raise ProtocolViolationError("no request for a feature of CoreDevice")
        answer: dict[str, Any] = {
            "CoreDevice.invocationIdentifier": request.get("CoreDevice.invocationIdentifier"),
        }
        try:
            inputs = request.get("CoreDevice.input")
            output = await features.call(
                request["CoreDevice.featureIdentifier"], inputs if isinstance(inputs, dict) else {}
            )
        except FeatureError as error:
            answer["CoreDevice.error"] = error.body
        else:
            answer["CoreDevice.output"] = output
        await connection.send(answer, reply_to=message)


class AppFeatures:
    """The features by name; each takes its input and returns its output."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._features: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            f"{_FEATURE}launchapplication": self._launch,
            f"{_FEATURE}listapps": self._list_apps,
            f"{_FEATURE}listprocesses": self._list_processes,
            f"{_FEATURE}monitorprocesstermination": self._monitor_termination,
            f"{_FEATURE}sendsignaltoprocess": self._send_signal,
        }

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._features)

    async def call(self, name: str, inputs: dict[str, Any]) -> Any:
        """The output of feature ``name``.

        Raises:
            FeatureError: unknown, badly asked for, or refused by the phone.
        """
        feature = self._features.get(name)
        if feature is None:
            raise FeatureError(_INVALID_REQUEST, f"The feature {name} is not supported by this device.")
        return await feature(inputs)

    async def _launch(self, inputs: dict[str, Any]) -> Any:
        bundle_id = _at(inputs, str, "applicationSpecifier", "bundleIdentifier", "_0")
        options = _at(inputs, dict, "options")
        environment = options.get("environmentVariables", {})
        arguments = options.get("arguments", [])
        if not isinstance(environment, dict) or not isinstance(arguments, list):
            raise FeatureError(_INVALID_REQUEST, "The options of the launch are malformed.")
        try:
            process = await self._phone.processes.launch(
                bundle_id,
                [str(argument) for argument in arguments],
                {str(name): str(value) for name, value in environment.items()},
                kill_existing=options.get("terminateExisting") is True,
                start_suspended=options.get("startStopped") is True,
            )
        except LaunchRefusedError as refused:
            raise FeatureError(
                _LAUNCH_FAILED, "The application failed to launch.", reason_text(refused)
            ) from None
        except (ValueError, OSError) as error:
            # Arguments or variables that no process can have: too long, or with a zero byte in them.
            raise FeatureError(_LAUNCH_FAILED, "The application failed to launch.", str(error)) from None
        return {"processToken": _token(process)}

    async def _list_apps(self, inputs: dict[str, Any]) -> Any:
        del inputs  # all apps here are ones of the user
        return [
            {
                "bundleIdentifier": app.bundle_id,
                "bundleVersion": str(app.info.get("CFBundleVersion", "")),
                "version": str(app.info.get("CFBundleShortVersionString", "")),
                "name": str(app.info.get("CFBundleDisplayName", app.executable_name)),
                "isDeveloperApp": app.is_development_signed,
                "isFirstParty": False,
                "isHidden": False,
                "isInternal": False,
                "isRemovable": True,
                "isAppClip": False,
            }
            for app in self._phone.apps
        ]

    async def _list_processes(self, inputs: dict[str, Any]) -> Any:
        del inputs
        return {"processTokens": [_token(process) for process in self._phone.processes.running()]}

    async def _send_signal(self, inputs: dict[str, Any]) -> Any:
        pid = _at(inputs, int, "process", "processIdentifier")
        number = _at(inputs, int, "signal")
        process = self._running(pid)
        if number == signal.SIGKILL:
            await self._phone.processes.kill(pid)
        elif 0 < number < signal.NSIG:
            self._phone.processes.send_signal(pid, number)
        else:
            raise FeatureError(_INVALID_REQUEST, f"{number} is no signal.")
        return {"process": _token(process)}

    async def _monitor_termination(self, inputs: dict[str, Any]) -> Any:
        process = self._running(_at(inputs, int, "processToken", "processIdentifier"))
        end = await asyncio.shield(process.ended)
        return {
            "processToken": _token(process),
            **({} if end.exit_code is None else {"exitCode": end.exit_code}),
            **({} if end.signal_number is None else {"signal": end.signal_number}),
        }

    def _running(self, pid: int) -> AppProcess:
        process = self._phone.processes.find(pid)
        if process is None:
            raise FeatureError(_INVALID_REQUEST, f"No process with the identifier {pid}.")
        return process


def _token(process: AppProcess) -> dict[str, Any]:
    return {
        "processIdentifier": process.pid,
        "executableURL": {"relative": f"file://{process.app.executable_on_phone}"},
    }


def _at(inputs: dict[str, Any], kind: type, *path: str) -> Any:
    """The value below ``path``.

    Raises:
        FeatureError: it is missing, or not of ``kind``.
    """
    found: Any = inputs
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, kind):
        raise FeatureError(_INVALID_REQUEST, f"The request has no {'.'.join(path)}.")
    return found

"""The instruments server (DVT): launching, following and measuring apps, for clients with a developer disk image."""

from __future__ import annotations

from functools import partial

from harness.virtual_iphone.instruments import device_info, process_control, sysmontap
from harness.virtual_iphone.instruments.device_info import DeviceInfo
from harness.virtual_iphone.instruments.dtx_connection import DtxConnection, ServiceFactory
from harness.virtual_iphone.instruments.process_control import ProcessControl
from harness.virtual_iphone.instruments.sysmontap import Sysmontap
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.streams import Stream


async def serve_instruments(stream: Stream, phone: Phone) -> None:
    """Answer one client until it leaves."""
    factories: dict[str, ServiceFactory] = {
        process_control.IDENTIFIER: partial(ProcessControl, phone=phone),
        device_info.IDENTIFIER: partial(DeviceInfo, phone=phone),
        sysmontap.IDENTIFIER: partial(Sysmontap, phone=phone),
    }
    phone.happened("instruments")
    await DtxConnection(stream, factories).serve()

"""``harness devices``: the phones that are attached, and how each stands."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

import click

from harness.cli.cluster_options import ClusterOptions, cluster_options

if TYPE_CHECKING:
    from rich.table import Table

    from harness.core.device_traits import DeviceTraits
    from harness.core.value import Value
    from harness.targets.iphone.messages import PhoneState

V = TypeVar("V", bound="Value")


@click.command("devices")
@click.option("--json", "as_json", is_flag=True, help="Print the phones as JSON.")
@cluster_options
def command(as_json: bool, cluster: ClusterOptions) -> int:
    """List the attached iPhones, by cable or network; or, with --cluster, the phones and machines of a cluster.

    With name, model, iOS, battery, trust, Developer Mode, disk image and the version of the runner. Exit status 4 where
    there is none.
    """
    from harness.pipeline.phones import inspect_phones

    if cluster.address is not None:
        nothing = "The cluster has no devices. Start a worker where phones are: harness worker ADDRESS."
        return _show(_devices_of(cluster, cluster.address), _cluster_table, nothing, as_json=as_json)
    nothing = "No iPhone is attached. Attach one with a data cable and unlock it."
    return _show(inspect_phones(), _table, nothing, as_json=as_json)


def _show(
    found: tuple[V, ...], table: Callable[[tuple[V, ...]], Table], nothing: str, *, as_json: bool
) -> int:
    import json

    from rich.console import Console

    from harness.errors import ExitStatus

    if as_json:
        click.echo(json.dumps([one.model_dump(mode="json", exclude_none=True) for one in found], indent=1))
    elif found:
        Console().print(table(found))
    else:
        click.echo(nothing)
    return int(ExitStatus.PASS if found else ExitStatus.TARGET)


def _table(phones: tuple[PhoneState, ...]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "model", "iOS", "by", "battery", "trust", "developer mode", "image", "runner"):
        table.add_column(heading, style="bold" if heading == "name" else "", overflow="fold")
    table.add_column("UDID", style="dim", overflow="fold")
    for phone in phones:
        battery = f"{phone.battery_level:.0%}" if phone.battery_level is not None else "–"
        table.add_row(
            escape(phone.name or "–"),
            phone.product or "–",
            phone.ios or "–",
            phone.connection,
            battery,
            "yes" if phone.is_trusted else "no",
            _said(phone.developer_mode, "on", "off"),
            _said(phone.image_mounted, "mounted", "no"),
            escape(phone.runner.version) if phone.runner else ("no" if phone.is_trusted else "–"),
            phone.udid,
        )
    return table


def _devices_of(options: ClusterOptions, address: str) -> tuple[DeviceTraits, ...]:
    from harness.pipeline.cluster_devices import announced_devices

    with closing(options.connected(address)) as cluster:
        return announced_devices(cluster)


def _cluster_table(devices: tuple[DeviceTraits, ...]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from harness.pipeline.cluster_devices import device_name
    from harness.render.plain_text import one_line

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "model", "iOS", "host"):
        table.add_column(heading, style="bold" if heading == "name" else "", overflow="fold")
    table.add_column("target", style="dim", overflow="fold")
    for device in devices:
        row = (
            device.name or "–",
            device.model or "–",
            device.ios or "–",
            device.host or "–",
            device_name(device),
        )
        table.add_row(*(escape(one_line(text)) for text in row))
    return table


def _said(value: bool | None, yes: str, no: str) -> str:
    return "–" if value is None else yes if value else no

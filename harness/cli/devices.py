"""``harness devices``: the phones that are attached, and how each stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from harness.targets.iphone.messages import PhoneState


@click.command("devices")
@click.option("--json", "as_json", is_flag=True, help="Print the phones as JSON.")
def command(as_json: bool) -> int:
    """List the attached iPhones, by cable or network.

    With name, model, iOS, battery, trust, Developer Mode, disk image and the version of the runner. Exit status 4 where
    there is none.
    """
    import json

    from rich.console import Console

    from harness.errors import ExitStatus
    from harness.pipeline.phones import inspect_phones

    phones = inspect_phones()
    if as_json:
        click.echo(
            json.dumps([phone.model_dump(mode="json", exclude_none=True) for phone in phones], indent=1)
        )
    elif phones:
        Console().print(_table(phones))
    else:
        click.echo("No iPhone is attached. Attach one with a data cable and unlock it.")
    return int(ExitStatus.PASS if phones else ExitStatus.TARGET)


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


def _said(value: bool | None, yes: str, no: str) -> str:
    return "–" if value is None else yes if value else no

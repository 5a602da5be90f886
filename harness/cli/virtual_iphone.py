"""``harness virtual-iphone``: phones on loopback for any client, and what a person does to them while they run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.virtual_iphone.virtual_phones import VirtualPhones

_MIB = 1024 * 1024


@click.group("virtual-iphone", invoke_without_command=True)
@click.option("--ios", multiple=True, help="iOS release: 16.7, 17.2, 18.5 or 26.1; again for another phone.")
@click.option(
    "--count", type=click.IntRange(1, 64), default=1, show_default=True, help="Phones of each release."
)
@click.option("--model", help="Apple's name of the model, such as iPhone16,2.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of 127.0.0.1 for usbmuxd; any free one by default.",
)
@click.option(
    "--socket", type=click.Path(path_type=Path), help="A local socket for usbmuxd instead of a port."
)
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder to keep the phones in; by default they are gone at the end.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="FAULT",
    help="Something to go wrong: --list-faults. May be given again.",
)
@click.option("--list-faults", is_flag=True, help="List the faults and their settings.")
@click.option(
    "--memory-limit",
    "memory_limit_mib",
    type=click.IntRange(1),
    metavar="MIB",
    help="Footprint at which an app is ended.",
)
@click.option("--network", is_flag=True, help="Attached by Wi-Fi instead of by a cable.")
@click.option("--install-runner", is_flag=True, help="Start with the runner app installed.")
@click.option(
    "--write-runner",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the runner app's .ipa for virtual phones, and end.",
)
@click.option("--json", "as_json", is_flag=True, help="Print addresses and phones as one line of JSON.")
@click.pass_context
def command(
    context: click.Context,
    ios: tuple[str, ...],
    count: int,
    model: str | None,
    port: int,
    socket: Path | None,
    state: Path | None,
    faults: tuple[str, ...],
    list_faults: bool,
    memory_limit_mib: int | None,
    network: bool,
    install_runner: bool,
    write_runner: Path | None,
    as_json: bool,
) -> None:
    """Run phones on loopback that speak an iPhone's own protocols, until Ctrl-C.

    Any client of usbmuxd talks to them: this harness, pymobiledevice3, libimobiledevice's tools. Their apps are real
    processes of this machine. Figures from them say nothing about a phone.
    """
    if context.invoked_subcommand is not None:
        return
    if list_faults:
        _print_faults()
        return
    import asyncio
    import contextlib
    import tempfile

    from harness.cli.places import runner_override
    from harness.pipeline.installed_programs import installed_programs
    from harness.virtual_iphone.faults import parse_fault
    from harness.virtual_iphone.foreground import serve_until_interrupted
    from harness.virtual_iphone.identity import DEFAULT_IOS
    from harness.virtual_iphone.phone import DEFAULT_MEMORY_LIMIT_BYTES
    from harness.virtual_iphone.runner_ipa import write_runner_ipa
    from harness.virtual_iphone.virtual_phones import Address, VirtualPhones, phone_setups

    programs = installed_programs(runner_override())
    if write_runner is not None:
        write_runner_ipa(write_runner, programs.runtime_version)
        click.echo(f"{write_runner}: the runner app for virtual phones")
        return
    values = [parse_fault(fault) for fault in faults]
    with contextlib.ExitStack() as stack:
        if state is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="virtual-iphone-")))
        else:
            folder = state.absolute()
            folder.mkdir(parents=True, exist_ok=True)
        setups = phone_setups(
            folder,
            programs,
            [release for release in ios or (DEFAULT_IOS,) for _ in range(count)],
            model=model,
            faults=values,
            memory_limit_bytes=memory_limit_mib * _MIB if memory_limit_mib else DEFAULT_MEMORY_LIMIT_BYTES,
            network=network,
        )
        phones = VirtualPhones(setups, folder, Address(port, socket))
        asyncio.run(
            serve_until_interrupted(phones, lambda: _announce(phones, as_json), install_runner=install_runner)
        )


@command.command("tell")
@click.argument("control", type=click.Path(path_type=Path))
@click.argument("what")
@click.argument("argument", default="")
@click.option("--phone", metavar="UDID", help="One phone only; all of them by default.")
def tell(control: Path, what: str, argument: str, phone: str | None) -> None:
    """Have phones that run do WHAT; CONTROL is the path they printed.

    \b
    status               what each phone is doing, as JSON
    fault FAULT          set a fault
    clear [KIND]         take back all faults, or those of one kind
    unplug, plug         pull the cable, put it back
    tap BUNDLE_ID        tap an app: the runner works off its inbox
    kill BUNDLE_ID       end an app
    """
    import json

    from harness.errors import TargetError
    from harness.virtual_iphone.control import ask

    try:
        results = ask(control, what, argument, phone)
    except OSError as error:
        raise TargetError(
            f"no virtual iPhone listens here: {error.strerror}",
            where=str(control),
            next_step="Use the control path that a running 'harness virtual-iphone' printed.",
        ) from None
    for result in results:
        if result is not None:
            click.echo(json.dumps(result, indent=1))


def _print_faults() -> None:
    from harness.virtual_iphone.faults import FAULT_KINDS, settings_of

    for name, kind in FAULT_KINDS.items():
        click.echo(f"{name}: {kind.effect}")
        if settings_of(kind):
            click.echo(f"    settings: {', '.join(settings_of(kind))}")


def _announce(phones: VirtualPhones, as_json: bool) -> None:
    import json

    if as_json:
        facts = {
            "usbmuxd": phones.usbmuxd_address,
            "control": str(phones.control.place),
            "phones": [
                {
                    "udid": phone.identity.udid,
                    "name": phone.identity.name,
                    "model": phone.identity.model.product_type,
                    "ios": phone.identity.ios_version,
                }
                for phone in phones.phones
            ],
        }
        click.echo(json.dumps(facts))
        return
    for phone in phones.phones:
        identity = phone.identity
        click.echo(
            f"{identity.udid}  {identity.name}, {identity.model.marketing_name}, iOS {identity.ios_version}"
        )
    click.echo(f"""
Point a client at them:   export USBMUXD_SOCKET_ADDRESS={phones.usbmuxd_address}
See what they do:         harness virtual-iphone tell {phones.control.place} status
Let something go wrong:   harness virtual-iphone tell {phones.control.place} fault disconnect:for-s=3
Ctrl-C ends them.""")

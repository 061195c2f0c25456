"""`farm devices discover`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.terminal.asking import agreed
from farm.cli.terminal.console import err, out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.loop import run
from farm.cli.terminal.tables import simple_table
from farm.cli.typed import hint_line
from farm.errors import ExitCode, RequestError, RunError
from farm.files import SHARED_FILE, is_file, user_path, write_atomic
from farm.inventory import read_devices
from farm.inventory.devices import USER
from farm.model.device import ALL_DEVICES, KNOWN_HOSTS, Address, Device
from farm.model.limits.deadlines import Deadlines
from farm.run.discover.entries import as_yaml, entries_of
from farm.run.discover.look import Found, Target, find, with_facts, with_keys
from farm.run.discover.ranges import MOST, MOST_USUAL, hosts_of, parse_range
from farm.run.discover.ssh_hosts import names_in, targets_of
from farm.transport.known_hosts import record
from farm.transport.scan import AT_A_TIME, Known
from farm.visible import has_controls

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm devices discover 10.0.0.0/24 --user bench --identity ~/.ssh/lab\n\n"
    "  farm devices discover 10.0.0.5-20 --trust --output inventory/lab.yaml\n\n"
    "  farm devices discover --ssh-config ~/.ssh/config"
}
TOLD_EVERY = 256
"""Addresses between two lines of progress."""


def command(
    ranges: Annotated[
        list[str] | None,
        typer.Argument(
            help="10.0.0.0/24, 10.0.0.5-20, 10.0.0.5-10.0.1.20 or a host name.", metavar="RANGE..."
        ),
    ] = None,
    *,
    ssh_config: Annotated[
        Path | None,
        typer.Option(
            "--ssh-config", help="The hosts that this file names without wildcards.", metavar="FILE"
        ),
    ] = None,
    port: Annotated[
        list[int] | None,
        typer.Option("--port", help="Repeatable. Default: 22.", metavar="N", min=1, max=65535),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Who logs in. Default: as in ~/.ssh/config.", metavar="USER")
    ] = None,
    identity: Annotated[
        list[Path] | None, typer.Option("--identity", help="A private key file. Repeatable.", metavar="FILE")
    ] = None,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust", help="Pin unknown host keys, after a question that shows their fingerprints."
        ),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Do not ask; with --trust, for fingerprints you have compared."),
    ] = False,
    most: Annotated[
        int, typer.Option(help=f"The most addresses to ask, up to {MOST}.", metavar="N", min=1, max=MOST)
    ] = MOST_USUAL,
    output: Annotated[
        Path | None, typer.Option(help="Write the inventory there. Default: to stdout.", metavar="FILE")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --output.")] = False,
    inventory: args.Inventory = None,
    deadline: Annotated[
        list[str] | None,
        typer.Option(
            "--deadline", help="A limit on a wait: scan, connect, login. Repeatable.", metavar="NAME=S"
        ),
    ] = None,
    json: args.Json = False,
) -> None:
    """Find devices in a network or in an SSH configuration, and write inventory entries of them.

    It says how many addresses it will ask, and asks first. Nobody logs in where the host key is not pinned:
    compare the fingerprint with the one on the device, and pin it with --trust or `farm devices trust`.
    """
    known, known_hosts = _surroundings(inventory, output, force=force)
    deadlines = with_deadlines(Deadlines(), deadline or ())
    login = (user, tuple(user_path(str(path)).absolute() for path in identity or ()))
    _require(*login)
    targets = _targets(ranges or [], ssh_config, port or [22], login, most)
    if not yes and not agreed(_question(targets, deadlines.scan_s)):
        say("nobody was asked", "yellow")
        return
    found = run(find(targets, deadlines.scan_s, _progress(len(targets))))
    found = run(with_keys(found, known_hosts, deadlines))
    if trust:
        found = _trusted(found, known_hosts, yes=yes)
    already = {_place(device): device.name for device in known}
    new = [host for host in found if _place(host.device) not in already]
    found = (*(host for host in found if host not in new), *run(with_facts(new, known_hosts, deadlines)))
    entries = entries_of(found, [device.name for device in known])
    _tell(found, already, len(targets))
    text = as_yaml(entries, found) if entries else ""
    if output is not None and text:
        _write(output, text)
    if json:
        show_json({"asked": len(targets), "hosts": [_as_json(one) for one in found], "devices": entries})
    elif output is None and text:
        out.print(plain(text.rstrip("\n")))
    if not entries and not any(_place(host.device) in already for host in found):
        raise typer.Exit(ExitCode.NOTHING_RAN)


def _surroundings(
    inventory: Path | None, output: Path | None, *, force: bool
) -> tuple[tuple[Device, ...], Path]:
    """The devices that are known already, and the file of host keys beside the inventory to be used."""
    if output is not None and output.exists() and not force:
        raise RequestError("is there already", source=str(output), hint="--force, or another --output")
    replaced = output is not None and inventory is None and output.exists()
    loaded, known = read_devices(inventory, ALL_DEVICES) if not replaced else (None, ())
    if output is not None:
        return known, output.absolute().parent / KNOWN_HOSTS
    assert loaded is not None
    return known, loaded.known_hosts


def _require(user: str | None, identity: Sequence[Path]) -> None:
    """That an inventory can hold them."""
    if user is not None and not USER.fullmatch(user):
        raise RequestError(f'--user "{user}" is not a login name', hint="--user bench")
    for path in identity:
        if has_controls(str(path)):
            raise RequestError(
                f"--identity {path}: an inventory cannot hold this name", hint="rename the file"
            )
        if not is_file(path):
            raise RequestError(f"--identity {path}: no such file", hint="--identity ~/.ssh/id_ed25519")


def _targets(
    ranges: Sequence[str],
    ssh_config: Path | None,
    ports: Sequence[int],
    login: tuple[str | None, tuple[Path, ...]],
    most: int,
) -> tuple[Target, ...]:
    if not ranges and ssh_config is None:
        raise RequestError("no range and no --ssh-config", hint="farm devices discover 10.0.0.0/24")
    hosts = hosts_of([parse_range(text) for text in ranges], most // len(set(ports)))
    targets = [
        Target(host, port, Address(host, port, *login)) for host in hosts for port in dict.fromkeys(ports)
    ]
    if ssh_config is not None:
        file = user_path(str(ssh_config))
        targets += run(targets_of(file, names_in(file), *login))
    if len(targets) > most:
        raise RequestError(f"{len(targets)} addresses are more than {most}", hint=f"--most {len(targets)}")
    return tuple(targets)


def _question(targets: Sequence[Target], limit_s: float) -> str:
    ports = sorted({target.port for target in targets})
    longest_s = -(-len(targets) // AT_A_TIME) * limit_s
    first, last = targets[0].host, targets[-1].host
    return (
        f"Ask {len(targets)} addresses ({first} to {last}) on port {', '.join(map(str, ports))}, "
        f"{AT_A_TIME} at a time, {longest_s:.0f} s at most?"
    )


def _progress(count: int) -> Callable[[int, int], None]:
    def told(asked: int, answered: int) -> None:
        if asked % TOLD_EVERY == 0 or asked == count:
            say(f"asked {asked} of {count} addresses, {answered} answered")

    return told


def _trusted(found: Sequence[Found], known_hosts: Path, *, yes: bool) -> tuple[Found, ...]:
    """With the keys pinned that a person has agreed to; changed ones never are."""
    unknown = [host for host in found if host.known is Known.UNKNOWN and host.keys]
    for host in unknown:
        for key in host.keys:
            say(f"{host.title}  {key.host}  {key.type}  {key.fingerprint_sha256}")
    if not unknown or not (yes or agreed(f"Trust these host keys of {len(unknown)} hosts?")):
        return tuple(found)
    for host in unknown:
        record(known_hosts, host.keys)
    say(f"pinned the keys of {len(unknown)} hosts in {known_hosts}")
    return tuple(replace(host, known=Known.PINNED) if host in unknown else host for host in found)


def _place(device: Device) -> tuple[str, int | None]:
    return device.address.host, device.address.port if device.address.port != 22 else None


def _tell(found: Sequence[Found], already: dict[tuple[str, int | None], str], asked: int) -> None:
    """On stderr: who answered, and why there is no entry of some."""
    if not found:
        say(f"none of {asked} addresses answers as an SSH server", "yellow")
        return
    rows = [
        (host.title, host.greeting, host.known.value, host.keys[0].fingerprint_sha256 if host.keys else "")
        for host in found
    ]
    err.print(simple_table(("address", "server", "host key", "fingerprint"), rows))
    for host in found:
        name = already.get(_place(host.device))
        if name is not None:
            say(f"{host.title}: is {name} in the inventory")
        elif host.error:
            say(f"{host.title}: {host.error}", "red")
            if host.hint:
                say(hint_line(host.hint))
        elif host.known is Known.CHANGED:
            say(
                f"{host.title}: another host key is pinned: reinstalled, or an attack; farm does not log in",
                "red",
            )
        elif host.known is Known.UNKNOWN:
            say(f"{host.title}: its host key is not pinned, so farm does not log in", "yellow")
            say("  try: the same command with --trust, which shows the fingerprints and asks")


def _write(output: Path, text: str) -> None:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(output, text.encode(), mode=SHARED_FILE)
    except OSError as error:
        raise RunError(
            f"{output}: cannot be written: {error.strerror}", hint="--output another file"
        ) from error
    say(f"wrote {output}")


def _as_json(host: Found) -> dict[str, Any]:
    return {
        "address": host.address.host,
        "port": host.address.port,
        "server": host.greeting,
        "host_key": host.known.value,
        "keys": [{"type": key.type, "fingerprint_sha256": key.fingerprint_sha256} for key in host.keys],
        "error": host.error,
        "hint": host.hint,
    }

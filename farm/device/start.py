"""Start the agent on a device, putting it there first when it is missing or damaged."""

from __future__ import annotations

import asyncio
import contextlib

from farm.device.faults import DISK_FULL, RefusedError, broken, late, refuse
from farm.device.wire import Greeting, Reply, Status, WireError, parse_greeting
from farm.errors import DeviceError
from farm.model.artifact import Script
from farm.model.limits.deadlines import Deadlines
from farm.transport.base import Channel, Connection

LOGIN_NOISE_BYTES = 64 << 20
STDERR_S = 5.0
TAIL_CHARS = 300

# What runs before there is an agent: `sh -c BOOTSTRAP farm serve|install WORKDIR SHA256 SIZE_BYTES`. On one
# line, and no `!`: csh passes on no other word. It becomes the agent, since another shell would take a
# tenth of a check; its first line is what `ps` shows. An agent whose file is damaged (a power cut while it
# was written) counts as absent; where its digest cannot be told, the agent itself says which tool is
# missing. It is looked at once after each start of the device, and where its file was touched since. On a
# full disk the agents of other versions go, which these install anew: then there is room for this one.
BOOTSTRAP = """
: farm-agent, which serves a controller;
fail() { echo; echo "farm-agent 1 err $1"; echo "$2" >&2; exit 1; };
case $2 in
  "~" | "~/"*) [ -n "${HOME-}" ] || fail no-home "HOME is not set on the device"; w=$HOME${2#"~"} ;;
  /*) w=$2 ;;
  *) fail usage "workdir must be absolute or begin with ~/: $2" ;;
esac;
agent=$w/agents/$3.sh;
if [ "$1" = install ]; then
  why=$({ mkdir -p "$w/agents" && cat >"$agent.$$" && [ "$(wc -c <"$agent.$$")" -eq "$4" ] &&
    mv -f "$agent.$$" "$agent"; } 2>&1) && echo && echo "farm-agent 1 ok" && exit;
  rm -f "$agent.$$";
  case $why in *"No space left"* | *uota*exceeded*)
    rm -f "$w"/agents/*.sh "$w"/agents/*.boot; fail disk-full "$why" ;; esac;
  fail unwritable "$why";
fi;
[ -f "$agent" ] || fail absent "no agent yet";
seen=$w/agents/$3.boot; now=; was=;
{ read -r now </proc/sys/kernel/random/boot_id; [ -f "$seen" ] && read -r was <"$seen"; } 2>/dev/null;
if [ -n "$now" ] && [ "$now" = "$was" ] && [ "$seen" -nt "$agent" ]; then :; else
  sum=$3; command -v sha256sum >/dev/null && sum=$(sha256sum <"$agent");
  [ "${sum%% *}" = "$3" ] || fail absent "a damaged agent";
  [ -z "$now" ] || { echo "$now" >"$seen"; } 2>/dev/null;
fi;
set -- serve "$2" "$agent";
. "$agent"
""".replace("\n", " ").strip()


async def start_agent(
    connection: Connection, workdir: str, script: Script, deadlines: Deadlines
) -> tuple[Channel, Greeting]:
    """A running agent: one round trip when it is on the device under its digest, three when not.

    Raises DeviceError: the agent's codes for a workdir that cannot be, `protocol` when nothing greets,
    `no-reply` when it takes too long.
    """
    arguments = (workdir, script.sha256, str(len(script.content)))
    try:
        async with asyncio.timeout(deadlines.agent_start_s):
            for _ in range(2):
                started = await _started(connection, arguments)
                if started is not None:
                    return started
                try:
                    await _install(connection, arguments, script.content)
                except RefusedError as error:
                    if error.cause != DISK_FULL:
                        raise
                    await _install(connection, arguments, script.content)
    except TimeoutError:
        raise late("the agent did not start", deadlines, "agent-start") from None
    raise broken("the agent is not there, or damaged, although it was just installed")


async def _started(connection: Connection, arguments: tuple[str, ...]) -> tuple[Channel, Greeting] | None:
    """None when it is not on the device."""
    channel = await connection.open(("sh", "-c", BOOTSTRAP, "farm", "serve", *arguments))
    try:
        greeting = await _greeting(channel)
        if isinstance(greeting, Greeting):
            return channel, greeting
        if greeting.code != "absent":
            refuse(greeting, await _stderr_tail(channel))
    except BaseException:
        await channel.close()
        raise
    await channel.close()
    return None


async def _install(connection: Connection, arguments: tuple[str, ...], script: bytes) -> None:
    channel = await connection.open(("sh", "-c", BOOTSTRAP, "farm", "install", *arguments))
    try:
        await written(channel, script)
        await accepted(channel)
    finally:
        await channel.close()


async def written(channel: Channel, data: bytes) -> bool:
    """False when the program has ended: its reply gives the reason."""
    try:
        await channel.write(data)
    except DeviceError as error:
        if error.cause != "program-ended":
            raise
        return False
    return True


async def accepted(channel: Channel) -> None:
    """End the input of a program and read its one reply; raises what it refuses."""
    await channel.write_eof()
    await answered(channel)


async def answered(channel: Channel) -> None:
    """Read the one reply of a program; raises what it refuses."""
    reply = await _greeting(channel)
    if not isinstance(reply, Reply):
        raise broken("a greeting where a reply should be")
    if reply.status is Status.ERR:
        refuse(reply, await _stderr_tail(channel))


async def _greeting(channel: Channel) -> Greeting | Reply:
    """The first line of the agent; output of the login shell before it is skipped."""
    noise, noise_bytes = b"", 0
    while noise_bytes < LOGIN_NOISE_BYTES:
        line = await channel.readline()
        if not line:
            break
        try:
            greeting = parse_greeting(line)
        except WireError as error:
            raise broken(str(error)) from error
        if greeting is not None:
            return greeting
        noise_bytes += len(line)
        noise = (noise + line)[-TAIL_CHARS:]
    else:
        raise broken(f"the agent did not start: the login printed more than {LOGIN_NOISE_BYTES >> 20} MiB")
    said = (await _stderr_tail(channel), noise.decode("utf-8", "replace").strip())
    raise broken(f"the agent did not start: {'; '.join(filter(None, said)) or 'no output'}")


async def _stderr_tail(channel: Channel) -> str:
    """The end of stderr of a program that is about to end: errors before the agent runs are there."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STDERR_S):
            await channel.read(1)
    return (await channel.stderr()).decode("utf-8", "replace").strip()[-TAIL_CHARS:]

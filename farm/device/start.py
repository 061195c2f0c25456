"""Start the agent on a device, putting it there first when it is missing."""

from __future__ import annotations

import asyncio
import contextlib

from farm.device.faults import broken, refuse
from farm.device.wire import Greeting, Reply, Status, WireError, parse_greeting
from farm.errors import DeviceError
from farm.transport.base import Channel, Connection

LOGIN_NOISE_LINES = 1000
STDERR_S = 5.0
GREETING_S = 60.0

# What runs before there is an agent: `sh -c BOOTSTRAP farm serve|install WORKDIR SHA256 SIZE_BYTES`.
BOOTSTRAP = """\
fail() { echo; echo "farm-agent 1 err $1"; echo "$2" >&2; exit 1; }
case $2 in
  "~" | "~/"*) [ -n "${HOME-}" ] || fail no-home "HOME is not set on the device"; w=$HOME${2#"~"} ;;
  /*) w=$2 ;;
  *) fail usage "workdir must be absolute or begin with ~/: $2" ;;
esac
agent=$w/agents/$3.sh
if [ "$1" = install ]; then
  why=$({ mkdir -p "$w/agents" && cat >"$agent.$$" && [ "$(wc -c <"$agent.$$")" -eq "$4" ] &&
    mv -f "$agent.$$" "$agent"; } 2>&1) && echo && echo "farm-agent 1 ok" && exit
  rm -f "$agent.$$"
  case $why in *"No space left"* | *uota*exceeded*) fail disk-full "$why" ;; *) fail unwritable "$why" ;; esac
fi
[ -f "$agent" ] || fail absent "no agent yet"
exec sh "$agent" serve "$2"
"""


async def start_agent(
    connection: Connection, workdir: str, script: bytes, sha256: str
) -> tuple[Channel, Greeting]:
    """A running agent: one round trip when it is on the device under its digest, three when not.

    Raises DeviceError: the agent's codes for a workdir that cannot be, `protocol` when nothing greets.
    """
    arguments = (workdir, sha256, str(len(script)))
    for _ in range(2):
        channel = await connection.open(("sh", "-c", BOOTSTRAP, "farm", "serve", *arguments))
        try:
            async with asyncio.timeout(GREETING_S):
                greeting = await _greeting(channel)
            if isinstance(greeting, Greeting):
                return channel, greeting
            if greeting.code != "absent":
                refuse(greeting, await _stderr_tail(channel))
        except TimeoutError:
            await channel.close()
            raise broken(f"the agent did not start within {GREETING_S:.0f} s") from None
        except BaseException:
            await channel.close()
            raise
        await channel.close()
        channel = await connection.open(("sh", "-c", BOOTSTRAP, "farm", "install", *arguments))
        try:
            await written(channel, script)
            await accepted(channel)
        finally:
            await channel.close()
    raise broken("the agent is not there although it was just installed")


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
    reply = await _greeting(channel)
    if not isinstance(reply, Reply):
        raise broken("a greeting where a reply should be")
    if reply.status is Status.ERR:
        refuse(reply, await _stderr_tail(channel))


async def _greeting(channel: Channel) -> Greeting | Reply:
    """The first line of the agent; output of the login shell before it is skipped."""
    for _ in range(LOGIN_NOISE_LINES):
        line = await channel.readline()
        if not line:
            break
        try:
            greeting = parse_greeting(line)
        except WireError as error:
            raise broken(str(error)) from error
        if greeting is not None:
            return greeting
    raise broken(f"the agent did not start: {await _stderr_tail(channel) or 'no output'}")


async def _stderr_tail(channel: Channel) -> str:
    """The end of stderr of a program that is about to end: errors before the agent runs are there."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STDERR_S):
            await channel.read(1)
    return (await channel.stderr()).decode("utf-8", "replace").strip()[-300:]

"""`scripts/arm-device`: an ARM device for people."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.arm import programs
from tests.arm.board import OLD_CLOCK, Board, Spec
from tests.arm.packages import UnavailableError


def main() -> int:
    given = _arguments()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="farm-arm-"))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    # A shell's background job ignores SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    board = None
    try:
        spec = Spec(
            given.name, given.flavour, given.cpu, given.cores, given.memory, given.disk, given.rtc, ()
        )
        board = Board.make(spec, folder.absolute(), given.port)
        _run(board, given.off_s)
    except UnavailableError as error:
        print(f"error: no ARM device here: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        if board is not None:
            board.power_cut()
        if given.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/arm-device", description="An ARM device on this machine, under qemu."
    )
    parser.add_argument("--name", default="arm-1", help="name in the inventory (arm-1)")
    parser.add_argument("--flavour", choices=("busybox", "debian"), default="busybox",
                        help="busybox with dropbear in memory (default), or a small Debian with OpenSSH on a disk")  # fmt: skip
    parser.add_argument(
        "--cpu", default="cortex-a72", help="qemu's name: cortex-a53, max has asimddp (cortex-a72)"
    )
    parser.add_argument("--cores", type=int, default=4, help="number of cores (4)")
    parser.add_argument("--memory", type=int, default=192, help="memory in MiB (192)")
    parser.add_argument("--disk", type=int, default=0, metavar="MIB",
                        help="an ext4 disk of this size for root's home, which outlives power cuts (none)")  # fmt: skip
    parser.add_argument(
        "--rtc", default="", metavar="TIME", help=f"the board's clock at its start, UTC: {OLD_CLOCK}"
    )
    parser.add_argument("--port", type=int, help="port on 127.0.0.1 (a free one)")
    parser.add_argument(
        "--folder", type=Path, help="keep keys, disk and console log here (a folder that is removed)"
    )
    parser.add_argument("--off-s", type=float, default=10, help="how long a power cut lasts, in seconds (10)")
    return parser.parse_args()


def _run(board: Board, off_s: float) -> None:
    """Until it is interrupted. SIGUSR1 is a power cut, after which the board starts again."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    _start(board)
    _tell(board)
    while True:
        if signal.sigtimedwait({signal.SIGUSR1}, 0.5) is not None:
            board.power_cut()
            print(f"power is cut for {off_s:g} s", flush=True)
            time.sleep(off_s)
            _start(board)
        elif board.process.poll() is not None:
            raise RuntimeError(f"qemu ended: {board.console.read_text(errors='replace')[-1000:]}")


def _start(board: Board) -> None:
    began = time.monotonic()
    board.start()
    spec = board.spec
    print(
        f"{spec.name} answers after {time.monotonic() - began:.1f} s: {spec.cpu}, {spec.cores} cores, "
        f"{spec.memory_mib} MiB, {spec.flavour}",
        flush=True,
    )


def _tell(board: Board) -> None:
    inventory = board.folder / "inventory"
    inventory.mkdir(exist_ok=True)
    (inventory / "known_hosts").write_text(board.known_hosts_line + "\n")
    entry = ", ".join(f"{key}: {value}" for key, value in board.inventory_entry().items())
    entry += f", runtime: {{kind: native, program: {programs.arm64().static}}}"
    text = f"devices:\n  {board.spec.name}: {{{entry}}}\n"
    (inventory / "lab.yaml").write_text(text)
    print(
        f"""
  {shlex.join(board.ssh())}

Host key, for known_hosts:
  {board.known_hosts_line}

{inventory}/lab.yaml, beside its known_hosts:
{text}
  farm devices check {board.spec.name} --inventory {inventory}/lab.yaml
  farm bench --devices {board.spec.name} --inventory {inventory}/lab.yaml --model bundled:tiny --variant 'fp32=' --variant 'nchw44=--enable-nchw44'

Console: {board.console}
Power cut: kill -USR1 {os.getpid()}    End: Ctrl-C or kill {os.getpid()}""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())

"""How a round ends without an error text: limits, known crashes, exit codes."""

from __future__ import annotations

from farm.causes.row import SEE_STDERR, Crash, Ending
from farm.errors import Fault

USER, DEVICE, RUNTIME, FARM = Fault.USER, Fault.DEVICE, Fault.RUNTIME, Fault.FARM

ENDINGS: dict[str, Ending] = {
    "wall-limit": Ending(
        "wall-limit",
        RUNTIME,
        "the round exceeded its time limit and was killed",
        "raise --round-limit, or use fewer iterations",
    ),
    "silence-limit": Ending(
        "silence-limit",
        RUNTIME,
        "the round printed nothing for longer than its silence limit and was killed",
        "raise --silence-limit if the model is that slow",
    ),
    "killed": Ending("killed", FARM, "the round was stopped on request"),
    "released": Ending("killed", FARM, "the round was stopped, since its lease was given back"),
    "lease-lost": Ending(
        "lease-lost",
        FARM,
        "no controller renewed the lease; the device stopped the round",
        "`farm devices check` shows who holds the device",
    ),
    "lost": Ending(
        "lost",
        DEVICE,
        "nobody saw the end of the round: the device was restarted, or what supervises the round was killed",
        "`farm devices check --json` shows the device's state; run it again",
    ),
}

CRASHES: tuple[Crash, ...] = (
    Crash(
        "the program hangs after its results when a sequence is recorded and profiled",
        "profile without --record-comp-seq",
        exit_code=None,
        why="wall-limit",
        all_of=("record-comp-seq",),
        any_of=("profile", "profile-host"),
    ),
    Crash(
        "the program hangs after its results when a sequence is recorded and profiled",
        "profile without --record-comp-seq",
        exit_code=None,
        why="silence-limit",
        all_of=("record-comp-seq",),
        any_of=("profile", "profile-host"),
    ),
    Crash(
        "the program waited for keyboard input",
        "remove --wait-gdb: the standard input of a round is empty",
        exit_code=None,
        why="wall-limit",
        all_of=("wait-gdb",),
    ),
    Crash(
        "the program crashed: it cannot dump outputs and skip the first computation",
        "remove --fake-first from variants that dump",
        all_of=("bin-out-dump", "fake-first"),
    ),
    Crash(
        "the program crashed: it cannot dump outputs that it copies to the host",
        "remove --copy-to-host from variants that dump",
        all_of=("bin-out-dump", "copy-to-host"),
    ),
    Crash(
        "the program crashed: it cannot dump outputs of several threads",
        "dump with --thread 1",
        all_of=("bin-out-dump", "thread"),
    ),
    Crash(
        "the program crashed: it supports only one dump at a time",
        "use one dump option per variant",
        any_of=("io-dump", "io-dump-stdout", "io-dump-stderr", "bin-io-dump", "bin-out-dump"),
        at_least=2,
    ),
    Crash(
        "the program crashed: it could not write the dump",
        "check the folder of the dump",
        any_of=("io-dump", "bin-io-dump"),
    ),
    Crash(
        "the program crashed: --record-comp-seq2 leaves no graph to dump or profile",
        "remove --record-comp-seq2 from variants that dump or profile",
        all_of=("record-comp-seq2",),
    ),
    Crash(
        "the program crashed; a corrupt algorithm cache has this effect",
        "remove the cache and search again with --fast-run",
        all_of=("fast-run-algo-policy",),
    ),
)

EXIT_CODES: dict[int, Ending] = {
    0: Ending(
        "no-times",
        RUNTIME,
        "exit code 0, but the times in the log are incomplete",
        "check `env:` of the device in the inventory: RUNTIME_OVERRIDE_LOG_LEVEL hides the times",
    ),
    1: Ending(
        "refused",
        RUNTIME,
        "the program rejected its command line or stopped early",
        SEE_STDERR,
    ),
    126: Ending("not-executable", USER, "the program cannot be executed on the device"),
    127: Ending("program-missing", USER, "program not found on the device"),
    132: Ending(
        "illegal-instruction",
        USER,
        "the program uses instructions that this processor does not support (SIGILL)",
        "use a build for this processor",
    ),
    134: Ending(
        "aborted",
        RUNTIME,
        "the program aborted (SIGABRT); its output has no known error",
        SEE_STDERR,
    ),
    135: Ending(
        "crashed", RUNTIME, "the program crashed (SIGBUS); a full disk or a truncated library has this effect"
    ),
    136: Ending("crashed", RUNTIME, "the program crashed (SIGFPE)"),
    137: Ending(
        "killed",
        DEVICE,
        "the program was killed (SIGKILL), most likely because the device ran out of memory",
        "`farm devices check --json` shows the memory",
    ),
    139: Ending(
        "crashed",
        RUNTIME,
        "the program crashed (SIGSEGV) without an error text",
        SEE_STDERR,
    ),
    143: Ending("killed", DEVICE, "the program was terminated on the device (SIGTERM)"),
    255: Ending("refused", FARM, "the program was started without arguments"),
}

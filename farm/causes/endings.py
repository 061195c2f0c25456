"""How a round ends without a word: limits, known crashes, exit codes."""

from __future__ import annotations

from farm.causes.row import Crash, Ending
from farm.errors import Fault

USER, DEVICE, RUNTIME, FARM = Fault.USER, Fault.DEVICE, Fault.RUNTIME, Fault.FARM

ENDINGS: dict[str, Ending] = {
    "wall-limit": Ending(
        "wall-limit",
        RUNTIME,
        "the round took longer than its limit and was ended",
        "raise the limit, or ask for fewer iterations",
    ),
    "silence-limit": Ending(
        "silence-limit",
        RUNTIME,
        "the round said nothing for longer than its limit and was ended",
        "raise the limit if the model is that slow",
    ),
    "killed": Ending("killed", FARM, "the round was ended on request"),
    "lease-lost": Ending(
        "lease-lost",
        FARM,
        "no controller renewed the lease, so the device ended the round",
        "`farm devices list` shows who holds the device",
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
        "the program waited for a key",
        "a round has no keyboard: leave --wait-gdb out",
        exit_code=None,
        why="wall-limit",
        all_of=("wait-gdb",),
    ),
    Crash(
        "the program crashed: it cannot dump outputs and skip the first computation",
        "leave --fake-first out where you dump",
        all_of=("bin-out-dump", "fake-first"),
    ),
    Crash(
        "the program crashed: it cannot dump outputs that it copies to the host",
        "leave --copy-to-host out where you dump",
        all_of=("bin-out-dump", "copy-to-host"),
    ),
    Crash(
        "the program crashed: it cannot dump outputs of several threads",
        "dump with --thread 1",
        all_of=("bin-out-dump", "thread"),
    ),
    Crash(
        "the program crashed: it does one dump at a time",
        "one dump in a variant",
        any_of=("io-dump", "io-dump-stdout", "io-dump-stderr", "bin-io-dump", "bin-out-dump"),
        at_least=2,
    ),
    Crash(
        "the program crashed: it could not write the dump",
        "check the folder that the dump goes to",
        any_of=("io-dump", "bin-io-dump"),
    ),
    Crash(
        "the program crashed: a recorded sequence of level 2 has no graph to look at",
        "leave --record-comp-seq2 out where you dump or profile",
        all_of=("record-comp-seq2",),
    ),
    Crash(
        "the program crashed, as it does when the algorithm cache is damaged",
        "remove the cache and search again with --fast-run",
        all_of=("fast-run-algo-policy",),
    ),
)

EXIT_CODES: dict[int, Ending] = {
    0: Ending(
        "no-times",
        RUNTIME,
        "the program ended well, and its log has no whole set of times",
        "RUNTIME_OVERRIDE_LOG_LEVEL in the device's `environment:` silences them",
    ),
    1: Ending("refused", RUNTIME, "the program refused its command line or stopped early", "see stderr"),
    126: Ending("not-executable", USER, "the program cannot be executed on the device"),
    127: Ending("program-missing", USER, "the program is not on the device"),
    132: Ending(
        "illegal-instruction",
        USER,
        "the program uses instructions that this processor does not have (SIGILL)",
        "use a build for this processor",
    ),
    134: Ending("aborted", RUNTIME, "the program aborted (SIGABRT) and said nothing known", "see stderr"),
    135: Ending(
        "crashed", RUNTIME, "the program crashed (SIGBUS), as it does on a full disk or a cut library"
    ),
    136: Ending("crashed", RUNTIME, "the program crashed (SIGFPE)"),
    137: Ending(
        "killed",
        DEVICE,
        "the program was killed (SIGKILL): most often the system was out of memory",
        "`farm devices check` shows the memory",
    ),
    139: Ending("crashed", RUNTIME, "the program crashed (SIGSEGV) and said nothing", "see stderr"),
    143: Ending("killed", DEVICE, "something on the device ended the program (SIGTERM)"),
    255: Ending("refused", FARM, "the program was started without arguments"),
}

"""load_and_run for MegEngine's wheel: the command line, lines and exit codes of the C++ program on the
wheel's libraries.

Needs CPython >= 3.6 and, beside this file, mge/ and lib/ with the libraries. See docs/wheel-runtime.md.
"""

import os
import signal
import sys
from typing import List

# Not the target of a symbolic link, which sys.path[0] is: on a device every file is a link into a store.
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from mge import log  # noqa: E402
from mge.bindings import lite  # noqa: E402
from mge.command_line import flags  # noqa: E402
from mge.errors import AbortError, MissingLibraryError, UnavailableError  # noqa: E402

PROGRAM = "load_and_run.py"
EXIT_USAGE, EXIT_FLAGS, EXIT_ABORT, EXIT_LIBRARY = 255, 1, 134, 127
EXIT_UNAVAILABLE = 69  # sysexits.h: an option that this device cannot have with this runtime


def main(argv: List[str]) -> int:
    """The exit code of a command line without the program's name."""
    if not argv:
        return _print(flags.usage_text() + "\n\n", EXIT_USAGE)
    try:
        values, words = flags.parse(argv)
    except flags.FlagError as error:
        log.raw("".join(f"ERROR: {message}\n" for message in error.messages))
        return EXIT_FLAGS
    if values.version:
        return _print("load_and_run version 1.0\n", 0)
    if values.helpmatch or values.helpon:
        return _print(flags.help_text(values.helpmatch or values.helpon), EXIT_FLAGS)
    if values.helpshort:
        return _print(flags.help_text(PROGRAM), EXIT_FLAGS)
    if values.help or values.helpfull:
        return _print(flags.help_text(), EXIT_FLAGS)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends as the C++ program does, also inside the library
    try:
        _run(values, words)
    except AbortError as error:
        error.report()
        return EXIT_ABORT
    except UnavailableError as error:
        log.raw(f"{PROGRAM}: not available here: {error}\n")
        return EXIT_UNAVAILABLE
    except MissingLibraryError as error:
        log.raw(f"{PROGRAM}: error while loading shared libraries: {error}\n")
        return EXIT_LIBRARY
    return 0


def _run(values: flags.Values, words: List[str]) -> None:
    if not words:
        raise AbortError("no model path was given", "std::logic_error")
    if values.fitting:
        from mge.execution import fitting

        fitting.fit(os.path.join(HERE, PROGRAM), values, words[0])
    else:
        from mge.bindings import left_out
        from mge.execution import run

        library = lite.Library(os.path.join(HERE, "lib"))
        left_out.lock(library)
        run.run(library, values, words[0])


def _print(text: str, code: int) -> int:
    sys.stdout.write(text)
    return code


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    lite.flush()
    os._exit(exit_code)  # the library's destructors can hang or crash after the work is done

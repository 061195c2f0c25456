"""The command `farm`: whatever happens ends here, with an exit code of DESIGN, section 9.

What may be slow, or fail to be imported, is imported inside: interruptions and errors are told from there on.
"""

from __future__ import annotations

import gc
import sys

BROKEN, INTERRUPTED = 4, 130
"""Before farm.errors could be imported."""


def main() -> None:
    """Entry point of the command; turns every outcome into an exit code. Raises SystemExit."""
    gc.disable()  # until farm.cli.lazy has the command: modules and classes are no garbage, and many
    code = BROKEN
    try:
        from farm.cli.ending import run

        code = run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException as error:  # noqa: BLE001 - an installation that lacks files of its own
        if sys.stderr is not None:
            sys.stderr.write(
                f"error: this installation of farm is broken: {error!a}\n  try: reinstall farm\n"
            )
    finally:
        gc.enable()
        gc.freeze()  # nothing is looked through at the exit, which frees all of it anyway
    sys.exit(code)


if __name__ == "__main__":
    main()

"""load_and_run for MegEngine's wheel: the command line, lines and exit codes of the C++ program on the
wheel's libraries.

Needs CPython >= 3.6 and, beside this file, mge_*.py and lib/ with the libraries. See docs/wheel-runtime.md.
"""

import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))  # not the target of a symbolic link, which sys.path[0] is
sys.path.insert(0, HERE)

import mge_flags
import mge_lite
import mge_log

EXIT_USAGE, EXIT_FLAGS, EXIT_ABORT, EXIT_LIBRARY = 255, 1, 134, 127
EXIT_UNAVAILABLE = 69  # sysexits.h: an option that this device cannot have with this runtime


def main(argv):
    if not argv:
        return out(mge_flags.usage_text() + "\n\n", EXIT_USAGE)
    try:
        values, words = mge_flags.parse(argv)
    except mge_flags.FlagError as error:
        mge_log.raw("".join("ERROR: %s\n" % message for message in error.messages))
        return EXIT_FLAGS
    if values.version:
        return out("load_and_run version 1.0\n", 0)
    if values.helpmatch or values.helpon:
        return out(mge_flags.help_text(values.helpmatch or values.helpon), EXIT_FLAGS)
    if values.helpshort:
        return out(mge_flags.help_text("load_and_run.py"), EXIT_FLAGS)
    if values.help or values.helpfull:
        return out(mge_flags.help_text(), EXIT_FLAGS)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends as the C++ program does, also inside the library
    try:
        if not words:
            raise mge_log.Abort("no model path was given", "std::logic_error")
        if values.fitting:
            import mge_fitting

            mge_fitting.fit(HERE, values, words[0])
            return 0
        import mge_run

        mge_run.run(mge_lite.Library(os.path.join(HERE, "lib")), values, words[0])
    except mge_log.Abort as error:
        error.report()
        return EXIT_ABORT
    except mge_log.Unavailable as error:
        mge_log.raw("load_and_run.py: not available here: %s\n" % error)
        return EXIT_UNAVAILABLE
    except mge_lite.MissingLibrary as error:
        mge_log.raw("load_and_run.py: error while loading shared libraries: %s\n" % error)
        return EXIT_LIBRARY
    return 0


def out(text, code):
    sys.stdout.write(text)
    return code


if __name__ == "__main__":
    code = main(sys.argv[1:])
    mge_lite.flush()
    os._exit(code)  # the library's destructors can hang or crash after the work is done

"""`python -m farm.nightly.tell NAME`: the process in which a plugin tells what is new. Message and options
are its stdin, as JSON; why it failed is its stderr.

What a plugin prints, and the text of an error, may have a secret in it (a URL, a token): nothing of it is
shown but what it says to people, as a FarmError, and what the system says of a file or a connection.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

from farm.errors import FarmError
from farm.plugins.find import Group, plugin
from farm.visible import one_line


def main() -> int:
    """0, or 1 where nobody was told."""
    given = json.load(sys.stdin)
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a descriptor
        os.dup2(nowhere.fileno(), 2)
    try:
        function = plugin(Group.NOTIFICATIONS, sys.argv[1]).load()
        function(given["message"], given["options"])
    except BaseException as error:  # noqa: BLE001 - whatever it is, also SystemExit
        os.write(kept, _why(error).encode("utf-8", "backslashreplace"))
        return 1
    return 0


def _why(error: BaseException) -> str:
    if isinstance(error, FarmError):
        return one_line(error.message, 200)
    last = traceback.extract_tb(error.__traceback__)[-1]
    said = f": {error.strerror}" if isinstance(error, OSError) and isinstance(error.strerror, str) else ""
    return one_line(f"{type(error).__name__}{said} ({os.path.basename(last.filename)}:{last.lineno})", 200)  # noqa: PTH119


if __name__ == "__main__":
    sys.exit(main())

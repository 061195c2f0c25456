"""What attacks put into texts."""

from __future__ import annotations

from tests.hostile.attack import CANARY

ESCAPES = (
    "\x1b]0;owned\x07\x1b[2J\x1b[H\x1bc\x1b]52;c;b3duZWQ=\x07\x1b[6n\x1bP+q544e\x1b\\\x9b31m\x9d0;owned\x9c"
    "\r\x08\x08\x0b\x0c\x0e\x7f\u202eevil\u2066\u200b\u2028\u2029\ufeff"
)
"""Window titles, clipboards, reports that a terminal types, C1 codes, text that runs backwards."""
HTML = (
    f"\"'><script>{CANARY}()</script></script></style></textarea></title></template>--><img src=x onerror={CANARY}()>"
    f'<svg/onload={CANARY}()><a href="javascript:{CANARY}()">x</a><iframe src=//evil.example/{CANARY}></iframe>'
    f"<style>@import '//evil.example/{CANARY}'</style><base href=//evil.example/><meta http-equiv=refresh "
    f"content='0;url=//evil.example/{CANARY}'>{{{{7*'7'}}}}{{%25 raw %25}}${{{CANARY}}}`{CANARY}`]]>&lt;b&gt;"
)
BOTH = HTML + ESCAPES
ONE_WORD = HTML.replace(" ", "\u00a0")
NOT_UTF8 = b"\xff\xfe\xc0\xae\xc0\xaf\xed\xa0\x80\xf5\x80caf\xe9"
SHELL = "$(touch escaped)`touch escaped`;touch escaped|touch escaped&&touch escaped\n touch escaped #'\"\\"

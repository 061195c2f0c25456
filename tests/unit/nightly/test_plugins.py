"""Plugins that are told what is new: in a process of their own, whatever they do; no secret of theirs is shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from farm.model.limits.deadlines import Deadlines
from farm.model.request import Notice, PluginNotice
from farm.nightly.notify import as_json, not_installed, notify
from tests.unit.nightly.test_notify import MESSAGE
from tests.unit.plugins.packages import package

SECRET = "s3cret-token"
WRITES = "import json\ndef f(message, options): json.dump([message, options], open(options['file'], 'w'))"


def tell(
    site: Path, code: str, options: dict[str, object], limit_s: float = 60.0, **more: str
) -> tuple[str, ...]:
    package(site, "lab", code, notifications="chat=f")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(site), **more}
    return notify(MESSAGE, [PluginNotice("chat", options)], Deadlines(notify_s=limit_s), environment)


def test_a_plugin_gets_what_a_webhook_gets_and_its_options_with_the_values_of_variables(site: Path) -> None:
    options = {"file": str(site / "out"), "n": 1.5, "deep": [{"token": "$TOKEN"}, "$5", "cost $TOKEN"]}
    assert tell(site, WRITES, options, TOKEN=SECRET) == ()
    message, got = json.loads((site / "out").read_text())
    assert message == as_json(MESSAGE)
    assert got == options | {"deep": [{"token": SECRET}, "$5", "cost $TOKEN"]}


def test_a_variable_that_is_not_set_is_named_and_the_plugin_is_not_called(site: Path) -> None:
    problem = "the plugin chat was not called: $TOKEN in its options is not set"
    assert tell(site, WRITES, {"file": str(site / "out"), "token": "$TOKEN"}) == (problem,)
    assert not (site / "out").exists()


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("def f(message, options): raise ValueError(options['token'])", "ended with 1: ValueError (lab.py:1)"),
        (
            "from farm.errors import RunError\ndef f(message, options): raise RunError('the channel is gone')",
            "ended with 1: the channel is gone",
        ),
        (
            "def f(message, options): open('/no/such/file', 'w')",
            "ended with 1: FileNotFoundError: No such file or directory (lab.py:1)",
        ),
        (
            "import os\ndef f(message, options):\n print(options['token'])\n os.write(2, options['token'].encode())\n os._exit(7)",
            "ended with 7",
        ),
        ("def f(message, options): raise SystemExit(options['token'])", "ended with 1: SystemExit (lab.py:1)"),
        ("f = 1", "ended with 1: the plugin chat of lab 1.0 is int, which cannot be called"),
    ],
)  # fmt: skip
def test_one_that_fails_is_named_without_its_secrets(site: Path, code: str, problem: str) -> None:
    assert tell(site, code, {"token": "$TOKEN"}, TOKEN=SECRET) == (f"the plugin chat {problem}",)


def test_one_that_hangs_is_ended_with_all_that_it_started(site: Path) -> None:
    code = (
        "import subprocess, time\ndef f(message, options): subprocess.Popen(['sleep', '60']); time.sleep(60)"
    )
    # What it leaves behind fails the session (tests/session.py).
    assert tell(site, code, {}, limit_s=1.0) == ("the plugin chat did not end within 1 s (deadline notify)",)


def test_what_is_not_installed_is_known_before_the_night(site: Path) -> None:
    package(site, "lab", WRITES, notifications="chat=f")
    notices: list[Notice | PluginNotice] = [
        PluginNotice("chat", {}),
        PluginNotice("chta", {}),
        Notice(command=("true",)),
    ]
    problem = "there is no plugin 'chta' for farm.notifications (did you mean chat?)"
    assert not_installed(notices) == (problem,)

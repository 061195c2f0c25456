"""Tells people what is new: a webhook that is signed and tried again, a command, or a plugin.

A notice that cannot be given costs no night: why is returned, and the next night tells the same again. No URL
is shown beyond its host, since it may be a secret, and no key at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

from farm.errors import RequestError
from farm.model.limits.deadlines import Deadlines
from farm.model.request import Notice, PluginNotice
from farm.nightly.nouns import Finding, Message, Open
from farm.plugins.find import Group, plugin
from farm.visible import one_line

SIGNATURE = "X-Farm-Signature-256"
"""HMAC-SHA256 of the body with the key, as `sha256=<hex>`: what GitHub's webhooks have."""

MOST_NEWS = 200
"""In one message; their number is told."""


ANSWER_S = 20.0
"""For the answer to one try."""

LONGEST_PAUSE_S = 30.0
"""Between two tries."""

_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


def as_json(message: Message) -> dict[str, Any]:
    """What is sent; `text` is what chat services show."""
    return {
        "version": 1,
        "text": as_text(message),
        "subject": message.subject,
        "suite": message.suite,
        "run": message.run,
        "exit_code": message.exit_code,
        "news": [_finding(one) for one in message.news[:MOST_NEWS]],
        "news_count": len(message.news),
        "still_open": [_finding(one.finding) | {"since": one.since} for one in message.still[:MOST_NEWS]],
        "still_open_count": len(message.still),
        "acknowledged": list(message.acknowledged[:MOST_NEWS]),
        "report": message.report,
    }


def as_text(message: Message) -> str:
    """For a mail or a chat."""
    lines = [message.subject, "", *_listed("new", [one.text for one in message.news])]
    lines += _listed("still open", [_since(one) for one in message.still])
    lines += _listed("known and accepted", message.acknowledged)
    lines += [f"report: {message.report}"] if message.report else []
    return "\n".join(lines).rstrip() + "\n"


def _since(one: Open) -> str:
    return f"{one.finding.text} (since {one.since})"


def _listed(title: str, texts: Sequence[str]) -> list[str]:
    if not texts:
        return []
    more = [f"- and {len(texts) - MOST_NEWS} more"] if len(texts) > MOST_NEWS else []
    return [f"{title}:", *(f"- {text}" for text in texts[:MOST_NEWS]), *more, ""]


def _finding(one: Finding) -> dict[str, str]:
    return {"kind": str(one.kind), "cell": one.cell, "baseline": one.baseline, "text": one.text}


def notify(
    message: Message,
    notices: Sequence[Notice | PluginNotice],
    deadlines: Deadlines,
    environment: Mapping[str, str] = os.environ,
) -> tuple[str, ...]:
    """Tell everybody; why some could not be told."""
    problems = []
    for one in notices:
        try:
            why = _tell(message, one, environment, deadlines)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are told, and its text may be a secret
            why = f"{_who(one)} cannot be told: {type(error).__name__}"
        if why:
            problems.append(why)
    return tuple(problems)


def not_installed(notices: Sequence[Notice | PluginNotice]) -> tuple[str, ...]:
    """Why some of them will tell nobody, as far as it can be seen before the night."""
    problems = []
    for one in notices:
        if isinstance(one, PluginNotice):
            try:
                plugin(Group.NOTIFICATIONS, one.plugin)
            except RequestError as error:
                problems.append(error.message)
    return tuple(problems)


def _tell(
    message: Message, notice: Notice | PluginNotice, environment: Mapping[str, str], deadlines: Deadlines
) -> str | None:
    if isinstance(notice, PluginNotice):
        return _plug_in(message, notice, environment, deadlines)
    tell = _post if notice.webhook else _run
    return tell(message, notice, environment, deadlines)


def _who(notice: Notice | PluginNotice) -> str:
    if isinstance(notice, PluginNotice):
        return _name_of(notice)
    return "a webhook" if notice.webhook else one_line(notice.command[0], 80)


def _name_of(notice: PluginNotice) -> str:
    return f"the plugin {one_line(notice.plugin, 80)}"


def _post(
    message: Message, notice: Notice, environment: Mapping[str, str], deadlines: Deadlines
) -> str | None:
    url = notice.webhook or ""
    if url.startswith("$"):
        url = environment.get(url[1:], "")
        if not url:
            return f"the webhook is in ${(notice.webhook or '')[1:]}, which is not set"
    place = urlsplit(url)
    if place.scheme not in ("http", "https") or not place.hostname or "@" in place.netloc:
        return "the webhook is no http or https URL that can be used (without a user in it)"
    body = json.dumps(as_json(message)).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "farm"}
    if notice.key:
        key = environment.get(notice.key, "")
        if not key:
            return f"the key of the webhook at {place.hostname} is in ${notice.key}, which is not set"
        headers[SIGNATURE] = "sha256=" + hmac.new(os.fsencode(key), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - http or https, above
    found: list[str | None] = []
    failed: list[str] = []
    # A thread that nobody waits for: no limit of urllib's holds for a name that is looked up, or for a server
    # that sends a byte now and then.
    worker = threading.Thread(target=lambda: found.append(_try(request, deadlines, failed)), daemon=True)
    worker.start()
    worker.join(deadlines.notify_s)
    late = f"{failed[-1]}, and then no answer" if failed else "no answer"
    why = found[0] if found else f"{late} {deadlines.ran_out('notify')}"
    return f"the webhook at {place.hostname} was not told: {why}" if why else None


def _try(request: urllib.request.Request, deadlines: Deadlines, failed: list[str]) -> str | None:
    """Until it is told, or another try cannot help or would come too late; why it was not. `failed` gets the
    reasons of the tries before the last one.
    """
    begin = time.monotonic()
    try:
        for attempt in Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_before_delay(deadlines.notify_s),
            wait=wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE_S),
            before_sleep=lambda state: failed.append(_reason(_error_of(state))),
            reraise=True,
        ):
            with attempt:
                _send(request, min(ANSWER_S, deadlines.notify_s))
    except Exception as error:  # noqa: BLE001 - what a library makes of a URL; its text may have the URL in it
        took = f"after {time.monotonic() - begin:.0f} s (deadline notify)" if _may_pass(error) else "at once"
        return f"{_reason(error)}, given up {took}"
    return None


def _error_of(state: RetryCallState) -> BaseException:
    found = state.outcome.exception() if state.outcome else None
    return found or OSError("no answer")


def _send(request: urllib.request.Request, answer_s: float) -> None:
    try:
        with _OPENER.open(request, timeout=answer_s) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        error.close()  # it is the answer, too
        raise


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Where it leads is not who was to be told."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _may_pass(error: BaseException) -> bool:
    """Whether another try may succeed: not where the other side says that it never will."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code >= 500 or error.code in (408, 425, 429)
    return isinstance(error, OSError)


def _reason(error: BaseException) -> str:
    """Without the URL, which may be a secret."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, OSError):
        reason = getattr(error, "reason", None) or error
        return one_line(str(getattr(reason, "strerror", None) or reason), 120)
    return f"its URL cannot be used ({type(error).__name__})"


def _run(
    message: Message, notice: Notice, environment: Mapping[str, str], deadlines: Deadlines
) -> str | None:
    """The text on stdin, the subject and the path of the report in its environment."""
    told = {"FARM_SUBJECT": one_line(message.subject, 500), "FARM_REPORT": message.report or ""}
    text = as_text(message).encode("utf-8", "backslashreplace")
    name = one_line(notice.command[0], 80)
    return _child(name, notice.command, text, {**environment, **told}, deadlines)


def _plug_in(
    message: Message, notice: PluginNotice, environment: Mapping[str, str], deadlines: Deadlines
) -> str | None:
    """In a process of its own: one that hangs, prints or crashes costs nothing but its own notice."""
    try:
        options = _filled(notice.options, environment)
    except KeyError as error:
        return f"{_name_of(notice)} was not called: ${error.args[0]} in its options is not set"
    given = json.dumps({"message": as_json(message), "options": options}).encode()
    command = (sys.executable, "-P", "-m", "farm.nightly.tell", notice.plugin)
    return _child(_name_of(notice), command, given, environment, deadlines)


def _filled(value: Any, environment: Mapping[str, str]) -> Any:
    """With the values of variables in the place of their names. Raises KeyError for one that is not set."""
    match value:
        case str() if found := _VARIABLE.fullmatch(value):
            return environment[found[1]]
        case dict():
            return {key: _filled(one, environment) for key, one in value.items()}
        case list():
            return [_filled(one, environment) for one in value]
    return value


def _child(
    name: str, command: Sequence[str], given: bytes, environment: Mapping[str, str], deadlines: Deadlines
) -> str | None:
    """What was `given` is its stdin. What it started goes with it: neither its children nor the pipes that
    they hold are waited for.
    """
    with tempfile.TemporaryFile() as text, tempfile.TemporaryFile() as said:
        text.write(given)
        text.seek(0)
        try:
            child = subprocess.Popen(  # noqa: S603 - the suite names it
                list(command), stdin=text, stdout=subprocess.DEVNULL, stderr=said,
                env=environment, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            return f"{name} cannot be run: {getattr(error, 'strerror', None) or error}"
        try:
            code = child.wait(deadlines.notify_s)
        except subprocess.TimeoutExpired:
            return f"{name} did not end {deadlines.ran_out('notify')}"
        finally:
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        said.seek(0)
        last = one_line(said.read(2000).decode("utf-8", "replace"), 200)
    return f"{name} ended with {code}" + (f": {last}" if last else "") if code else None

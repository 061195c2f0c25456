"""A real Chromium, driven over its debugging pipe: no library, no port."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections import deque
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)

KEYS = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "End": 35,
    "Home": 36,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "0": 48,
    "+": 187,
}


def program() -> str | None:
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


@contextmanager
def chromium():
    """One tab of a fresh browser; everything that was started is gone afterwards."""
    with ExitStack() as stack:
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        to_read, commands = os.pipe()
        answers, to_write = os.pipe()

        # Chromium reads its commands from descriptor 3 and answers on 4. The shell moves them there:
        # pass_fds keeps numbers, and preexec_fn is unsafe with threads.
        argv = (program(), *FLAGS, f"--user-data-dir={profile}", "about:blank")
        script = f'exec "$@" 3<&{to_read} 4>&{to_write}'
        process = subprocess.Popen(
            ("bash", "-c", script, "bash", *argv),
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        sender = stack.enter_context(os.fdopen(commands, "wb", buffering=0))
        reader = stack.enter_context(os.fdopen(answers, "rb", buffering=0))
        tab = Tab(sender, reader)
        try:
            yield tab
        finally:
            tab.call("Browser.close", browser=True)
            process.wait(timeout=30)


class Tab:
    """A page; `events` collects what the browser told unasked."""

    def __init__(self, sender, reader) -> None:
        self._sender = sender
        self._reader = reader
        self._begun, self._whole = bytearray(), deque[bytes]()
        self._last = 0
        self._session = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def call(self, method, *, browser=False, **params):
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if self._session and not browser:
            message["sessionId"] = self._session
        self._sender.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._last:
                assert "error" not in answer, (method, answer)
                return answer["result"]

    def _read(self):
        while not self._whole:
            piece = self._reader.read(1 << 20)
            if not piece:
                raise EOFError("Chromium is gone")
            *ends, begun = piece.split(b"\0")
            for end in ends:
                self._whole.append(bytes(self._begun) + end)
                self._begun.clear()
            self._begun += begun
        message = json.loads(self._whole.popleft())
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, page: Path | str, *, width=1280, height=900, dark=False, scripts=True) -> None:
        """Loads a page to its end."""
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.events.clear()
        loader = self.call("Page.navigate", url=page.as_uri() if isinstance(page, Path) else page)["loaderId"]
        while not any(self._is_load(event, loader) for event in self.events):
            self._read()

    @staticmethod
    def _is_load(event, loader) -> bool:
        told = event["params"]
        return event["method"] == "Page.lifecycleEvent" and (told["name"], told["loaderId"]) == (
            "load",
            loader,
        )

    def js(self, expression):
        """The value of an expression in the page; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self) -> str:
        """All text of the page's accessibility tree: also when the page's scripts are off."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return " ".join(n["name"]["value"] for n in nodes if n.get("role", {}).get("value") == "StaticText")

    def press(self, key) -> None:
        code = KEYS[key]
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def fetched(self) -> list[str]:
        """Addresses that were asked for since the page was opened, itself included.

        What the page's policy refused was not asked for.
        """
        told = [(event["method"], event["params"]) for event in self.events]
        failed = [params for method, params in told if method == "Network.loadingFailed"]
        refused = {params["requestId"] for params in failed if params.get("blockedReason") == "csp"}
        asked = [params for method, params in told if method == "Network.requestWillBeSent"]
        return [params["request"]["url"] for params in asked if params["requestId"] not in refused]

    def complaints(self) -> list[str]:
        """What the console would show: errors, refused scripts, refused styles."""
        return [
            json.dumps(e["params"])
            for e in self.events
            if e["method"] in {"Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening"}
        ]

    def screenshot(self, path: Path, *, whole=False) -> None:
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(picture["data"]))

    def pdf(self) -> bytes:
        return base64.b64decode(
            self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"]
        )

"""The user's command that makes the build of a step, on the controller."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from farm.bisect.logs import LAST_BYTES, Log, finish, follow
from farm.errors import RequestError, RunError
from farm.files import private_folder, user_path
from farm.model.limits.deadlines import Deadlines
from farm.visible import one_line

STEP = "{step}"
SKIP = 125
"""The exit code that says that this step cannot be built: as for `git bisect run`."""


@dataclass(frozen=True)
class Skip:
    """The command says that this step has no build; why."""

    why: str


@dataclass(frozen=True)
class Maker:
    """The command, with `{step}` where the step goes, and the folder for what it prints."""

    command: str
    logs: Path
    deadlines: Deadlines

    def words(self, step: str) -> list[str]:
        """Raises RequestError for a command that cannot be read, or names no step."""
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise RequestError(
                f"--command cannot be read: {error}", hint="--command './build.sh {step}'"
            ) from error
        if not any(STEP in word for word in words):
            raise RequestError(
                f"--command does not name {STEP}: every step would be the same",
                hint="--command './build.sh {step}'",
            )
        return [word.replace(STEP, step) for word in words]

    def make(self, step: str, name: str) -> Path | Skip:
        """Run it; the folder that its last line on stdout names. Its output is in `logs`, whatever happens.

        Raises RequestError where it fails, does not end, or names nothing that is there, and RunError for
        disk errors. What it started goes with it.
        """
        try:
            private_folder(self.logs)
            out, err = (self.logs / f"{name}.{stream}" for stream in ("stdout", "stderr"))
            with out.open("wb") as stdout, err.open("wb") as stderr:
                code = self._run(self.words(step), Log(stdout), Log(stderr), err)
        except OSError as error:
            raise RunError(
                f"cannot write {error.filename or self.logs}: {error.strerror}", hint="use another --runs-dir"
            ) from error
        last = _last_line(out)
        if code == SKIP:
            said = _last_line(err) or last
            return Skip(f"the command ended with {SKIP}" + (f": {said}" if said else ""))
        if code:
            said = _last_line(err) or last
            raise RequestError(
                f"the command for {one_line(step, 80)} ended with {code}" + (f": {said}" if said else ""),
                hint=f"see {err}; exit code {SKIP} skips a step",
            )
        return self._named(last, step, out)

    def _run(self, words: list[str], stdout: Log, stderr: Log, log: Path) -> int:
        """Its exit code, as the shell has it."""
        try:
            child = subprocess.Popen(  # noqa: S603 - the user names it
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise RequestError(f"--command: cannot run {one_line(words[0], 80)}: {why}") from error
        assert child.stdout is not None, "it is a pipe"
        assert child.stderr is not None, "it is a pipe"
        logs = {child.stdout: stdout, child.stderr: stderr}
        try:
            code = follow(child, logs, self.deadlines.build_s)
        except subprocess.TimeoutExpired:
            shown = one_line(shlex.join(words), 120)
            raise RequestError(
                f"the command {shown} did not end {self.deadlines.ran_out('build')}",
                hint=f"{self.deadlines.more('build')}; see {log}",
            ) from None
        finally:
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            finish(logs)
        return code if code >= 0 else 128 - code

    def _named(self, line: str, step: str, log: Path) -> Path:
        path = user_path(line) if line and "\0" not in line else None
        with contextlib.suppress(OSError, ValueError):
            if path is not None and path.exists():
                return path
        what = f"no folder that is there, but {line!r}" if line else "nothing"
        raise RequestError(
            f"the last line of the command for {one_line(step, 80)} names {what}",
            hint=f"print the folder of the build (or of its builds.yaml) last; see {log}",
        )


def _last_line(path: Path) -> str:
    """The last line that is not empty, made visible."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - LAST_BYTES))
        lines = stream.read(LAST_BYTES).decode("utf-8", "surrogateescape").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""

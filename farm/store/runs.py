"""The run directory: DESIGN, section 7. No result is only in memory."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic_core import from_json

from farm.errors import RequestError, RunError
from farm.files import PRIVATE_FOLDER, path_name, private_folder, write_atomic
from farm.model.artifact import Produced
from farm.model.run import Results, RunStatus
from farm.store.codec import READABLE, results_from_json, results_to_json
from farm.store.folder import RoundFolder
from farm.store.journal import JOURNAL, JournalFile, has_writer
from farm.store.notes.tags import PREFIX, tagged
from farm.store.rebuild import GONE, PLAN, Replayed, rebuilt, replayed
from farm.visible import relative_href

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
LATEST = "latest"
RESULTS = "results.json"
REPORT = "report.html"


def require_run_id(run_id: str) -> None:
    """Raises RequestError for what is no name of a run."""
    if RUN_ID.match(run_id) and run_id != LATEST:
        return
    is_taken = run_id == LATEST
    why = "it means the newest run" if is_taken else "use letters, digits, dot, dash and underscore"
    raise RequestError(f"invalid run id {run_id!r}", hint=why)


class RunDirectory:
    """One run on disk: run.json, journal.jsonl, results.json, report.html, cells/, artifacts/."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, runs_dir: Path, run_id: str) -> RunDirectory:
        """Make the folder. Raises RequestError for a taken or invalid name, RunError for disk errors."""
        require_run_id(run_id)
        path = runs_dir / run_id
        is_made = False
        try:
            runs_dir.mkdir(parents=True, exist_ok=True)
            path.mkdir(PRIVATE_FOLDER)
            is_made = True
            for name in ("artifacts", "cells"):
                (path / name).mkdir(PRIVATE_FOLDER)
        except FileExistsError as error:
            raise RequestError(
                f"run {run_id} already exists in {runs_dir}",
                hint=f"farm runs show {run_id}; a new run gets another --run-id, or none",
            ) from error
        except OSError as error:
            if is_made:  # on a full disk
                shutil.rmtree(path, ignore_errors=True)
            raise _cannot("create the run directory", path, error) from error
        return cls(path)

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def report_path(self) -> Path:
        return self.path / REPORT

    def begin(self, plan: Results) -> JournalFile:
        """run.json and the journal, before anything is done. Raises RunError for disk errors."""
        try:
            write_atomic(self.path / PLAN, results_to_json(plan))
            return JournalFile.begin(self.path / JOURNAL, self.run_id)
        except OSError as error:
            raise _cannot("write", self.path, error) from error

    def planned(self) -> Results:
        """run.json: what was planned. Raises RequestError."""
        path = self.path / PLAN
        try:
            return results_from_json(path.read_bytes(), str(path))
        except OSError as error:
            raise _not_resumable(self.path, error) from error

    def require_ended(self) -> None:
        """Raises RequestError when another process writes this run, or it cannot be written."""
        self._journal().close()

    def _journal(self) -> JournalFile:
        try:
            return JournalFile.reopen(self.path / JOURNAL)
        except BlockingIOError as error:
            raise RequestError(
                f"run {self.run_id} still goes on: another process writes it",
                hint=f"farm runs show {self.run_id}",
            ) from error
        except OSError as error:
            raise _not_resumable(self.path, error) from error

    def reopen(self) -> tuple[JournalFile, Replayed]:
        """The journal, to go on with the run of a process that is gone, and all that it says. results.json is
        removed: until the run ends again, the journal alone has all of it.

        Raises RequestError where that cannot be done.
        """
        file = self._journal()
        try:
            found = replayed(self.path)
            (self.path / RESULTS).unlink(missing_ok=True)
        except OSError as error:
            file.close()
            raise _not_resumable(self.path, error) from error
        except BaseException:
            file.close()
            raise
        return file, found

    def write_results(self, results: Results) -> None:
        """results.json, at the end of the run. Raises OSError."""
        write_atomic(self.path / RESULTS, results_to_json(results))

    def results(self) -> Results:
        """results.json, or what the journal has of a run that did not come to its end, or goes on.

        Raises RequestError when this is not a run, or what it holds cannot be read.
        """
        path = self.path / RESULTS
        try:
            try:
                return self._as_it_is(results_from_json(path.read_bytes(), str(path)))
            except FileNotFoundError:
                return rebuilt(self.path)
            except RequestError as damaged:
                if not (self.path / JOURNAL).is_file():
                    raise
                results = rebuilt(self.path)
                return replace(results, losses=(str(damaged), *results.losses))
        except FileNotFoundError as error:
            raise RequestError(
                f"{self.path} has no results: {error.filename} is missing", hint=READABLE
            ) from error
        except OSError as error:
            raise RequestError(
                f"cannot read {error.filename or self.path}: {error.strerror}", hint=READABLE
            ) from error

    def _as_it_is(self, results: Results) -> Results:
        """Former versions of farm wrote results.json during the run, too."""
        if results.status is RunStatus.RUNNING and not has_writer(self.path / JOURNAL):
            return replace(results, status=RunStatus.INTERRUPTED, losses=(*results.losses, GONE))
        return results

    def started(self) -> float:
        """When it began, in seconds since 1970; a report that is rendered again does not change it."""
        try:
            text = from_json((self.path / PLAN).read_bytes())["started_at"]
            return datetime.fromisoformat(text).astimezone(UTC).timestamp()
        except (OSError, ValueError, TypeError, KeyError, OverflowError):
            return self._written()

    def _written(self) -> float:
        """When its first file was written: of a run that does not say when it began."""
        for name in (PLAN, RESULTS):
            try:
                return (self.path / name).stat().st_mtime
            except OSError:
                continue
        return 0.0

    def write_report(self, html: str) -> Path:
        """Raises RunError for disk errors."""
        try:
            write_atomic(self.report_path, html.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise _cannot("write", self.report_path, error) from error
        return self.report_path

    def write_pages(self, pages: Iterable[tuple[str, str]]) -> None:
        """Files below `cells/`, each a name and its HTML. Where a device has that name, its folder stays.

        They can be made again, so none waits for the disk. Raises RunError for disk errors.
        """
        folder = self.path / "cells"
        for name, html in pages:
            try:
                private_folder(folder)
                write_atomic(folder / name, html.encode("utf-8", "backslashreplace"), is_synced=False)
            except IsADirectoryError:
                continue
            except OSError as error:
                raise _cannot("write", folder / name, error) from error

    def round_folder(self, *parts: str) -> RoundFolder:
        """`cells/<device>/<model>/<variant>/<round>`, every part made safe; `variant@build` has two."""
        safe = ("@".join(map(path_name, part.split("@"))) for part in parts)
        return RoundFolder(self.path, self.path.joinpath("cells", *safe))


def _cannot(what: str, path: Path, error: OSError) -> RunError:
    return RunError(f"cannot {what} {path}: {error.strerror or error}", hint="use another --runs-dir")


def _not_resumable(path: Path, error: OSError) -> RequestError:
    return RequestError(
        f"{path.name} cannot be resumed: {error.filename or path}: {error.strerror or error}",
        hint="farm runs show tells what it has",
    )


def find_run(runs_dir: Path, name: str) -> RunDirectory:
    """A run by id, by path, by `tag:NAME`, or `latest`. Raises RequestError when there is none."""
    if name.startswith(PREFIX):
        tag = tagged(runs_dir, name.removeprefix(PREFIX))
        if not _is_run(runs_dir / tag.run):
            raise RequestError(
                f"the run {tag.run} of the tag {tag.name} is not in {runs_dir}",
                hint=f"farm runs tag RUN {tag.name} --move   (or farm runs tag --remove {tag.name})",
            )
        return RunDirectory(runs_dir / tag.run)
    if name == LATEST:
        newest = max(all_runs(runs_dir), key=RunDirectory.started, default=None)
        if newest is None:
            raise RequestError(f"no runs in {runs_dir}", hint="farm bench makes one")
        return newest
    for path in (runs_dir / name, Path(name)):
        if _is_run(path):
            return RunDirectory(path)
    raise RequestError(
        f"no run {name!r} in {runs_dir}",
        hint="farm runs list shows the runs; `latest` is the newest, tag:NAME one with a tag",
    )


def all_runs(runs_dir: Path) -> Iterator[RunDirectory]:
    """Every run in `runs_dir`, by name: with results, or with a plan and a journal."""
    try:
        folders = sorted(runs_dir.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise RequestError(
            f"cannot read {runs_dir}: {error.strerror}", hint="use another --runs-dir"
        ) from error
    yield from (RunDirectory(path) for path in folders if _is_run(path))


def _is_run(path: Path) -> bool:
    try:
        return (path / RESULTS).is_file() or (path / JOURNAL).is_file()
    except (OSError, ValueError):  # a name that is too long, or no name at all
        return False


def file_of(directory: RunDirectory, produced: Produced) -> Path:
    """A file of a run; a name that leads out of it, or to something else than a file, is refused.

    Raises RequestError.
    """
    path = directory.path / produced.path
    try:
        usable = relative_href(produced.path) is not None and path.is_file()
    except (OSError, ValueError):
        usable = False
    if not usable:
        raise RequestError(f"{path} is missing", hint="the run is not complete; name another one")
    return path


def new_run_id() -> str:
    """UTC time and four random hex digits: names sort by time, and two runs do not collide."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"

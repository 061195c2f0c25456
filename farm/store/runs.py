"""The run directory: DESIGN, section 7. No result is only in memory."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from farm.errors import RequestError, RunError
from farm.files import digest_path, path_name, write_atomic
from farm.model.artifact import Produced
from farm.model.run import Results
from farm.store.codec import results_from_json, results_to_json

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
RESULTS = "results.json"
REPORT = "report.html"


class RunDirectory:
    """One run on disk: run.json, journal.jsonl, results.json, report.html, cells/, artifacts/."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, runs_dir: Path, run_id: str) -> RunDirectory:
        """Make the folder. Raises RequestError for a taken or invalid name, RunError for disk errors."""
        if not RUN_ID.match(run_id):
            raise RequestError(
                f"invalid run id {run_id!r}", hint="use letters, digits, dot, dash and underscore"
            )
        path = runs_dir / run_id
        try:
            path.mkdir(parents=True)
            (path / "artifacts").mkdir()
            (path / "cells").mkdir()
        except FileExistsError as error:
            raise RequestError(
                f"run {run_id} already exists in {runs_dir}", hint="use another --run-id, or none"
            ) from error
        except OSError as error:
            raise RunError(
                f"cannot create the run directory {path}: {error.strerror}", hint="use another --runs-dir"
            ) from error
        return cls(path)

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def report_path(self) -> Path:
        return self.path / REPORT

    def write_run(self, record: Mapping[str, Any]) -> None:
        """run.json: the request, before anything is done."""
        write_atomic(self.path / "run.json", json.dumps(record, indent=1, default=str).encode() + b"\n")

    def journal(self, event: str, **fields: Any) -> None:
        """Append one event and flush it to disk before going on."""
        line = json.dumps({"event": event, **fields}, default=str, separators=(",", ":")) + "\n"
        handle = os.open(self.path / "journal.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)

    def write_results(self, results: Results) -> None:
        write_atomic(self.path / RESULTS, results_to_json(results))

    def results(self) -> Results:
        """Raises RequestError when this is not a run or its results cannot be read."""
        path = self.path / RESULTS
        try:
            return results_from_json(path.read_bytes(), str(path))
        except FileNotFoundError as error:
            raise RequestError(
                f"{self.path} has no {RESULTS}", hint="farm runs list shows the runs that can be read"
            ) from error

    def write_report(self, html: str) -> Path:
        write_atomic(self.report_path, html.encode())
        return self.report_path

    def cell_path(self, *parts: str) -> Path:
        """`cells/<device>/<model>/<variant>/...`, every part made safe."""
        return self.path.joinpath("cells", *(path_name(part) for part in parts))

    def has(self, sha256: str) -> bool:
        return self._kept(sha256).is_file()

    def keep(self, source: Path, *, role: str, sha256: str, under: Path, name: str) -> Produced:
        """Move a file that arrived into artifacts/ under its digest (equal files once) and link it."""
        kept = self._kept(sha256)
        kept.parent.mkdir(exist_ok=True)
        source.replace(kept)
        return self.link(sha256, role=role, under=under, name=name)

    def link(self, sha256: str, *, role: str, under: Path, name: str) -> Produced:
        """Give a kept file a readable name; `name` may hold folders (`dump/01`), each part is made safe."""
        kept = self._kept(sha256)
        link = under.joinpath(*(path_name(part) for part in name.split("/") if part not in ("", ".", "..")))
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(kept, link.parent))
        return Produced(role, link.relative_to(self.path).as_posix(), sha256, kept.stat().st_size)

    def _kept(self, sha256: str) -> Path:
        return digest_path(self.path / "artifacts", sha256)


def find_run(runs_dir: Path, name: str) -> RunDirectory:
    """A run by id, by path, or `latest`. Raises RequestError when there is none."""
    if name == "latest":
        newest = max(all_runs(runs_dir), key=lambda run: run.path.stat().st_mtime, default=None)
        if newest is None:
            raise RequestError(f"no runs in {runs_dir}", hint="farm bench makes one")
        return newest
    for path in (runs_dir / name, Path(name)):
        if (path / RESULTS).is_file():
            return RunDirectory(path)
    raise RequestError(
        f"no run {name!r} in {runs_dir}", hint="farm runs list shows the runs; `latest` is the newest"
    )


def all_runs(runs_dir: Path) -> Iterator[RunDirectory]:
    """Every folder in `runs_dir` that has results, by name."""
    if runs_dir.is_dir():
        for path in sorted(runs_dir.iterdir()):
            if (path / RESULTS).is_file():
                yield RunDirectory(path)

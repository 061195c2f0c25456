"""A journal that is read while it grows: each line once, whatever becomes of the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from farm.errors import RequestError
from farm.model.journal import RoundEnded
from farm.store import tail as tail_module
from farm.store.journal import JOURNAL, JournalFile, line_of, read_journal
from farm.store.runs import RunDirectory
from farm.store.tail import Tail
from tests.data.results import make
from tests.unit.store.test_journal import events_of, planned


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    RunDirectory.create(tmp_path, "r").begin(planned()).close()
    return tmp_path / "r"


LINES = [line_of(event) for event in events_of(make.small())]


def append(folder: Path, data: bytes) -> None:
    with (folder / JOURNAL).open("ab") as stream:
        stream.write(data)


def test_each_line_is_read_once_and_all_as_by_the_reader_of_whole_journals(folder: Path) -> None:
    tail = Tail(folder / JOURNAL)
    found = list(tail.read().events)
    for line in LINES:
        append(folder, line)
        piece = tail.read()
        assert (len(piece.events), piece.is_anew, piece.behind_bytes) == (1, False, 0)
        found += piece.events
        assert tail.read().events == ()
    assert tuple(found) == read_journal(folder / JOURNAL).events


def test_half_a_line_is_waited_for(folder: Path) -> None:
    tail = Tail(folder / JOURNAL)
    tail.read()
    append(folder, LINES[0][:50])
    assert tail.read().events == ()
    assert tail.read().behind_bytes == 0
    append(folder, LINES[0][50:] + LINES[1])
    piece = tail.read()
    assert [type(event) for event in piece.events] == [RoundEnded, RoundEnded]
    assert piece.left_out == 0


@pytest.mark.parametrize("bad", [b"\xff\xfe\x00 no UTF-8\n", b"{}\n", b"[" * 100_000 + b"\n", b"one\rline\n"])
def test_a_damaged_line_is_left_out_and_counted(folder: Path, bad: bytes) -> None:
    tail = Tail(folder / JOURNAL)
    append(folder, bad + LINES[0])
    piece = tail.read()
    assert (len(piece.events), piece.left_out) == (2, 1)


def test_a_journal_that_is_cut_or_replaced_begins_anew(folder: Path) -> None:
    tail = Tail(folder / JOURNAL)
    append(folder, LINES[0] + LINES[1])
    assert tail.read().is_anew
    whole = (folder / JOURNAL).read_bytes()
    os.truncate(folder / JOURNAL, len(whole) - 10)
    piece = tail.read()
    assert (piece.is_anew, len(piece.events)) == (True, 2)
    (folder / "other").write_bytes(whole)
    (folder / "other").replace(folder / JOURNAL)
    piece = tail.read()
    assert (piece.is_anew, len(piece.events)) == (True, 3)


def test_a_journal_that_is_written_over_in_its_place_begins_anew(folder: Path) -> None:
    tail = Tail(folder / JOURNAL)
    append(folder, LINES[0] + LINES[1])
    tail.read()
    first = (folder / JOURNAL).read_bytes().splitlines(keepends=True)[0]
    with (folder / JOURNAL).open("r+b") as stream:  # as long as before, and longer
        stream.write(first + LINES[1] + LINES[0] + LINES[2])
    piece = tail.read()
    assert (piece.is_anew, len(piece.events)) == (True, 4)


def test_a_long_journal_is_read_in_pieces_and_a_line_without_end_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = max(map(len, LINES)) + 100
    monkeypatch.setattr(tail_module, "PIECE_BYTES", most)
    append(folder, LINES[0] + b"x" * (3 * most) + b"\n" + LINES[1])
    tail = Tail(folder / JOURNAL)
    pieces = [tail.read()]
    while pieces[-1].behind_bytes:
        pieces.append(tail.read())
    assert len(pieces) > 3
    assert sum(len(piece.events) for piece in pieces) == 3
    assert sum(piece.left_out for piece in pieces) == 1


def test_it_knows_whether_somebody_writes_and_takes_no_lock_from_them(folder: Path) -> None:
    tail = Tail(folder / JOURNAL)
    assert not tail.read().has_writer
    file = JournalFile.reopen(folder / JOURNAL)
    assert tail.read().has_writer
    file.close()
    assert not tail.read().has_writer
    JournalFile.reopen(folder / JOURNAL).close()


def test_who_begins_to_write_while_it_is_read_gets_the_lock(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def events(*_: object) -> tuple[tuple[()], int]:
        JournalFile.reopen(folder / JOURNAL).close()
        return (), 0

    monkeypatch.setattr(Tail, "_events", events)
    assert not Tail(folder / JOURNAL).read().has_writer


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RequestError, match="is no file"):
        Tail(tmp_path / "pipe").read()
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic"):
        Tail(tmp_path / "link").read()
    with pytest.raises(FileNotFoundError):
        Tail(tmp_path / "none").read()

"""The record of what was built: it comes back, survives everything, and nothing of it ever raises."""

from __future__ import annotations

import contextlib
import itertools
import random
import sqlite3
import threading
import time
import zlib
from pathlib import Path

import pytest

from homeport.build import record as module
from homeport.build.record import KEPT_PER_TARGET, Record, default_path
from homeport.model.fingerprint import Files, Fingerprint, Listing, digest_of, make, recorded
from homeport.sources.disk import Seen

ENGINE, PLACE = "engine-1", "/repo"
FILES: Files = {"a": ("1" * 16, "644"), "dir": ("/", "755"), "\udcff${x}\n": ("2" * 16, "644")}


def fingerprint(value: object = 1, files: Files = FILES) -> Fingerprint:
    return make({"input": digest_of(value)}, {"": Listing(digest_of(dict(files)), lambda: files)})


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path / "cache" / "homeport" / "builds.sqlite")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock is a second later."""
    ticks = itertools.count(1_000_000.0)
    monkeypatch.setattr(time, "time", lambda: next(ticks))


def write(
    record: Record, value: object = 1, image: str = "sha256:1", target: str = "api", files: Files = FILES
) -> str:
    found = fingerprint(value, files)
    record.write(ENGINE, PLACE, [(target, found, image)])
    return found.digest


def test_what_was_written_comes_back(record: Record) -> None:
    digest = write(record)
    assert record.problem == ""
    again = Record(record.path)
    assert again.images(ENGINE, [digest, "other"]) == {digest: ("sha256:1",)}
    assert again.last(ENGINE, PLACE, "api") == recorded(fingerprint())


def test_without_a_file_there_is_nothing_and_none_is_made(record: Record) -> None:
    assert record.images(ENGINE, ["x"]) == {}
    assert record.images(ENGINE, []) == {}
    assert record.last(ENGINE, PLACE, "api") is None
    record.write(ENGINE, PLACE, [])
    assert not record.path.parent.exists()


def test_each_engine_place_and_target_by_itself(record: Record) -> None:
    digest = write(record)
    assert record.images("engine-2", [digest]) == {}
    assert record.last("engine-2", PLACE, "api") is None
    assert record.last(ENGINE, "/elsewhere", "api") is None
    assert record.last(ENGINE, PLACE, "web") is None


@pytest.mark.usefixtures("clock")
def test_the_latest_comes_first(record: Record) -> None:
    digest = write(record, 1, "sha256:old", "api")
    write(record, 1, "sha256:new", "web")
    write(record, 2, "sha256:other", "api")
    assert record.images(ENGINE, [digest]) == {digest: ("sha256:new", "sha256:old")}
    assert record.last(ENGINE, PLACE, "api") == recorded(fingerprint(2))
    write(record, 1, "sha256:again", "api")
    assert record.last(ENGINE, PLACE, "api") == recorded(fingerprint(1))
    assert record.images(ENGINE, [digest]) == {digest: ("sha256:again", "sha256:new")}


@pytest.mark.usefixtures("clock")
def test_only_the_last_ones_of_each_target_are_kept(record: Record) -> None:
    other = write(record, "x", target="web")
    digests = [
        write(record, number, files={f"{number}": ("c", "644")}) for number in range(KEPT_PER_TARGET + 5)
    ]
    kept = record.images(ENGINE, [*digests, other])
    assert set(kept) == {*digests[5:], other}
    with contextlib.closing(sqlite3.connect(record.path)) as connection:
        # Listings that nothing names any more are gone with them; one that two share is there once.
        assert connection.execute("SELECT count(*) FROM listings").fetchone() == (KEPT_PER_TARGET + 1,)


def test_many_fingerprints_at_once(record: Record) -> None:
    built = [(f"t{number}", fingerprint(number), f"sha256:{number}") for number in range(600)]
    record.write(ENGINE, PLACE, built)
    assert len(record.images(ENGINE, (found.digest for _, found, _ in built))) == 600


def test_only_digests_are_written_down(record: Record) -> None:
    record.write(ENGINE, PLACE, [("api", make({"argument": digest_of("hidden-word")}, {}), "sha256:1")])
    assert b"hidden-word" not in record.path.read_bytes()


def test_two_at_the_same_time(record: Record) -> None:
    def work(number: int) -> None:
        mine = Record(record.path)
        for turn in range(5):
            write(mine, (number, turn), f"sha256:{number}.{turn}", f"t{number}")
            problems.append(mine.problem)

    problems: list[str] = []
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(problems) == {""}
    digests = [fingerprint((number, turn)).digest for number in range(4) for turn in range(5)]
    assert len(record.images(ENGINE, digests)) == 20


# -- whatever happens to the file ---------------------------------------------------------------------------


def spoiled(path: Path, how: str) -> None:
    content = path.read_bytes()
    noise = random.Random(how)  # noqa: S311 - no secret
    match how:
        case "empty":
            path.write_bytes(b"")
        case "random":
            path.write_bytes(noise.randbytes(5000))
        case "truncated":
            path.write_bytes(content[: len(content) // 2])
        case "half a page":
            path.write_bytes(content[:100])
        case "noise inside":
            path.write_bytes(content[:100] + noise.randbytes(len(content) - 100))
        case "text":
            path.write_text("hello", encoding="utf-8")
        case "another's":
            path.unlink()
            with contextlib.closing(sqlite3.connect(path)) as connection, connection:
                connection.execute("CREATE TABLE builds (x)")
                connection.execute("INSERT INTO builds VALUES (1)")
        case "a view":
            path.unlink()
            with contextlib.closing(sqlite3.connect(path)) as connection, connection:
                connection.execute("CREATE VIEW builds AS SELECT 1 AS x")


HOWS = ["empty", "random", "truncated", "half a page", "noise inside", "text", "another's", "a view"]


@pytest.mark.parametrize("how", HOWS)
def test_a_spoiled_file_is_begun_anew(record: Record, how: str) -> None:
    write(record, "old")
    spoiled(record.path, how)
    record.images(ENGINE, ["x"])
    record.last(ENGINE, PLACE, "api")
    digest = write(record)
    assert record.problem == ""
    assert record.images(ENGINE, [digest]) == {digest: ("sha256:1",)}
    assert record.last(ENGINE, PLACE, "api") == recorded(fingerprint())


ROWS = [
    "UPDATE builds SET inputs = 'no json'",
    "UPDATE builds SET inputs = '[]'",
    "UPDATE builds SET inputs = 'null', files = 'null'",
    "UPDATE builds SET files = '{\"\": [1]}'",
    "UPDATE builds SET files = '" + "[" * 100_000 + "'",
    "UPDATE builds SET inputs = x'ff', files = 1",
    "UPDATE builds SET files = CAST(x'ff' AS TEXT)",
    "UPDATE builds SET image = 1, built = 'yesterday'",
    "DELETE FROM listings",
    "UPDATE listings SET files = 'text'",
    "UPDATE listings SET files = x'00'",
    "DROP TABLE listings",
    "DROP TABLE builds",
]


@pytest.mark.parametrize("statement", ROWS)
def test_rows_that_somebody_edited_do_no_harm(record: Record, statement: str) -> None:
    digest = write(record)
    with contextlib.closing(sqlite3.connect(record.path)) as connection, connection:
        connection.execute(statement)
    record.images(ENGINE, [digest])
    record.last(ENGINE, PLACE, "api")
    later = write(record, 2)
    assert record.problem == ""
    assert later in record.images(ENGINE, [later])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE builds SET image = 'sha256:2'",
        "UPDATE builds SET fingerprint = 'f' || fingerprint",
        "UPDATE builds SET engine = 'E2'",
    ],
)
def test_what_somebody_made_up_counts_for_nothing(record: Record, statement: str) -> None:
    digest = write(record)
    with contextlib.closing(sqlite3.connect(record.path)) as connection, connection:
        connection.execute(statement)
    assert [record.images(engine, [digest, f"f{digest}"]) for engine in (ENGINE, "E2")] == [{}, {}]


@pytest.mark.parametrize(
    "content", [b"[]", b'{"a": {}}', b'{"a": 1}', b'{"a": [1]}', b"null", b"[" * 100_000, b"\xff"]
)
def test_a_list_of_files_that_is_none(record: Record, content: bytes) -> None:
    write(record)
    with contextlib.closing(sqlite3.connect(record.path)) as connection, connection:
        connection.execute("UPDATE listings SET files = ?", (zlib.compress(content),))
    assert record.last(ENGINE, PLACE, "api") is None


SENT = {"/repo/a": Seen("1" * 16, 3, 1_600_000_000_123_456_789), "/repo/\udcff\n": Seen("2" * 16, 0, -1)}


def test_files_that_were_sent_come_back(record: Record) -> None:
    assert record.sent(ENGINE, PLACE) == {}
    record.write_sent(ENGINE, PLACE, SENT)
    record.write_sent("another", PLACE, {})
    assert Record(record.path).sent(ENGINE, PLACE) == SENT
    record.write_sent(ENGINE, PLACE, {})
    assert record.sent(ENGINE, PLACE) == {}


@pytest.mark.parametrize(
    "content", [b"", b"no zlib", *map(zlib.compress, (b"[]", b'{"a": 1}', b'{"a": [1]}'))]
)
def test_a_list_of_sent_files_that_is_none(record: Record, content: bytes) -> None:
    record.write_sent(ENGINE, PLACE, SENT)
    with contextlib.closing(sqlite3.connect(record.path)) as connection, connection:
        connection.execute("UPDATE sent SET files = ?", (content,))
    assert record.sent(ENGINE, PLACE) == {}


def test_a_locked_file_is_left_alone(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0.01)
    digest = write(record)
    with contextlib.closing(sqlite3.connect(record.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        write(record, 2)
        assert "locked" in record.problem
        assert record.images(ENGINE, [digest]) == {}
        other.execute("ROLLBACK")
    assert record.images(ENGINE, [digest]) == {digest: ("sha256:1",)}
    write(record, 2)
    assert record.problem == ""


@pytest.mark.parametrize(
    "make",
    [Path.mkdir, lambda path: path.symlink_to("nowhere/at/all"), lambda path: path.symlink_to(path.name)],
)
def test_a_path_that_is_no_file(record: Record, make: object) -> None:
    record.path.parent.mkdir(parents=True)
    assert callable(make)
    make(record.path)
    write(record)
    assert record.problem
    assert record.images(ENGINE, ["x"]) == {}
    assert record.last(ENGINE, PLACE, "api") is None


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    record = Record(tmp_path / "file" / "builds.sqlite")
    write(record)
    assert record.problem
    assert record.images(ENGINE, ["x"]) == {}


def test_a_folder_that_may_not_be_looked_into(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    write(record)

    def no(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", no)
    monkeypatch.setattr(Path, "is_file", no)
    assert record.images(ENGINE, ["x"]) == {}
    assert record.last(ENGINE, PLACE, "api") is None


def test_a_folder_that_is_read_only(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = write(record)

    def read_only(path: Path, timeout: float) -> sqlite3.Connection:
        return real(f"file:{path}?mode=ro", uri=True, timeout=timeout)

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", read_only)
    write(record, 2)
    assert "readonly" in record.problem
    assert record.images(ENGINE, [digest]) == {digest: ("sha256:1",)}


def test_a_spoiled_file_that_cannot_be_removed(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    record.path.parent.mkdir(parents=True)
    record.path.write_bytes(b"x" * 5000)

    def no(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", no)
    write(record)
    assert "not a database" in record.problem
    assert record.images(ENGINE, ["x"]) == {}


def test_it_lies_in_the_user_s_own_cache() -> None:
    assert default_path().name == "builds-2.sqlite"
    assert "homeport" in default_path().parts  # on Windows with a folder Cache in it

"""Lines are the same whether logging makes a record of them or not, and whoever wants records gets them."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from webtest import TestApp

from registry_wsgi import create_app, logs
from registry_wsgi.context import Context
from registry_wsgi.logs import Line, LineFormatter, LineHandler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIELDS = {
    "vars.name": "a/b",
    "http.request.uri": '/v2/"\n',
    "http.request.useragent": "x" * 1000,
    "http.response.status": 200,
    "flag": True,
    "one": 1,
    "none": None,
    "empty": "",
    "umlaut": "ä",
    "error": ValueError("wrong"),
}


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    shared = [logging.getLogger(name) for name in ("registry_wsgi", logs.ACCESS_LOGGER)]
    before = [(logger, logger.handlers, logger.level, logger.propagate, logger.disabled) for logger in shared]
    yield
    for logger, logger.handlers, level, logger.propagate, logger.disabled in before:
        logger.setLevel(level)


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages of the records that logging makes."""
    made: list[str] = []
    real = logging.Logger.makeRecord

    def making(self: logging.Logger, name: str, level: int, *arguments: object, **options: object) -> logging.LogRecord:
        made.append(str(arguments[2]))
        return real(self, name, level, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(logging.Logger, "makeRecord", making)
    return made


@pytest.mark.parametrize("name", sorted(logs.FORMATS))
def test_a_line_is_the_same_as_that_of_a_record(name: str) -> None:
    line = Line(logging.INFO, 'a "message"', 1_700_000_000.25, FIELDS)
    record = logging.makeLogRecord(
        {"msg": line.message, "levelno": line.level, "levelname": "INFO", "created": line.created, "fields": FIELDS}
    )
    stream = io.StringIO()
    handler = LineHandler(stream, logs.FORMATS[name])
    for _ in range(2):  # the second time some of it is remembered
        handler.put(line)
        handler.emit(record)
    first, *others = stream.getvalue().splitlines()
    assert others == [first] * 3
    assert LineFormatter(logs.FORMATS[name]).format(record) == first


def test_what_is_equal_to_python_is_not_the_same_in_a_line() -> None:
    lines = [logs.text(Line(logging.INFO, "m", 0.0, {"a": value})) for value in (1, True, 1.0, "1")]
    assert [line.rpartition(" ")[2] for line in lines] == ["a=1", "a=True", "a=1.0", "a=1"]


def pulled() -> TestApp:
    app = TestApp(create_app({"storage": "inmemory"}))
    app.get("/v2/", status=200)
    return app


def test_no_record_is_made_where_nobody_would_see_it(records: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    app = pulled()
    records.clear()
    capsys.readouterr()
    app.get("/v2/", status=200)
    app.get("/v2/a/manifests/v1", status=404)
    said = capsys.readouterr()
    assert records == []
    assert said.err.count("\n") == said.out.count("\n") == 2
    assert 'msg="response completed"' in said.err
    assert 'msg="response completed with error"' in said.err
    assert '"GET /v2/ HTTP/1.0" 200 2 ' in said.out


def test_a_handler_that_is_added_gets_records_of_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    app = pulled()
    seen: list[logging.LogRecord] = []
    added = logging.Handler()
    added.emit = seen.append  # type: ignore[method-assign]
    logging.getLogger("registry_wsgi").addHandler(added)
    capsys.readouterr()
    app.get("/v2/", status=200)
    assert [record.getMessage() for record in seen] == ["response completed"]
    assert seen[0].fields["http.response.status"] == 200  # type: ignore[attr-defined]
    assert capsys.readouterr().err.count("\n") == 1


def test_a_filter_is_asked(records: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    app = pulled()
    logging.getLogger("registry_wsgi").addFilter(lambda _: False)
    capsys.readouterr()
    try:
        app.get("/v2/", status=200)
    finally:
        logging.getLogger("registry_wsgi").filters.clear()
    assert capsys.readouterr().err == ""


def test_no_request_fails_with_its_log(capsys: pytest.CaptureFixture[str]) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError("no space left on device")

    app = pulled()
    logging.getLogger("registry_wsgi").handlers = [LineHandler(Full(), logs.text)]
    app.get("/v2/", status=200)
    assert "no space left on device" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["text", "json"])
def test_a_line_to_a_file_is_the_same(name: str, tmp_path: Path) -> None:
    line = Line(logging.INFO, "ä", 1_700_000_000.25, FIELDS)
    path = tmp_path / "log"
    with path.open("w", encoding="ascii", errors="backslashreplace") as stream:
        handler = LineHandler(stream, lambda line: logs.FORMATS[name](line) + " ä")
        handler.put(line)
        handler.emit(logging.makeLogRecord({"msg": "ä", "levelno": 20, "created": line.created, "fields": FIELDS}))
        handler.put(line)
    first, *others = path.read_text().splitlines()
    assert first.endswith(" \\xe4")
    assert others == [first] * 2


@pytest.mark.parametrize("created", [0.0, 0.5, 1_700_000_000.0, 1_700_000_000.999999, 1_700_000_000.9999999])
def test_a_time_is_in_microseconds(created: float) -> None:
    expected = datetime.fromtimestamp(created, UTC).isoformat().replace("+00:00", "Z")
    assert Line(logging.INFO, "", created, {}).time == expected


@pytest.mark.parametrize("value", ["a", "-a", "a-b.c/d:e", "", "-", "./:", "a b", "ä", "٣", "a\n", 'a"', "0.5s"])
def test_a_value_that_is_no_bare_word_is_quoted(value: str) -> None:
    kept = set("-./:abcdefghijklmnopqrstuvwxyz0123456789")
    bare = set(value) <= kept and any(character.isalnum() for character in value)
    assert logs.text(Line(logging.INFO, "m", 0.0, {"k": value})).endswith(f" k={value if bare else json.dumps(value)}")


def test_a_line_is_written_when_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A kill -9 loses none of what was answered: nothing waits in memory."""
    logs.configure("info", "text", access_log=False)
    Context().info("one")
    assert 'msg="one"' in capsys.readouterr().err

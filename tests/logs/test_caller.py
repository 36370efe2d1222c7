"""`log.reportcaller`: a line names the function that had something to say, not the ones that write lines."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import logs
from registry_wsgi.context import Context

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = str(Path(__file__))


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    logger = logging.getLogger("registry_wsgi")
    before = logger.handlers, logger.level, logger.propagate
    yield
    logger.handlers, _, logger.propagate = before
    logger.setLevel(before[1])


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_every_way_to_log_names_its_caller(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", "json", access_log=False, report_caller=True)
    ctx = Context()
    ctx.log(logging.INFO, "one", key="value")
    ctx.debug("two")
    ctx.info("three")
    ctx.warning("four")
    ctx.error("five")
    with ctx.trace("function", "six"):
        pass
    logging.getLogger("registry_wsgi.below").info("seven")
    said = lines(capsys)
    assert [line["msg"] for line in said] == ["one", "two", "three", "four", "five", "six", "seven"]
    assert {line["func"] for line in said} == {"test_caller.test_every_way_to_log_names_its_caller"}
    assert {line["file"].rpartition(":")[0] for line in said} == {HERE}
    assert said[0]["key"] == "value"


def test_nothing_is_named_unless_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", "json", access_log=False)
    Context().info("one")
    (line,) = lines(capsys)
    assert not {"func", "file"} & line.keys()

"""When Redis may be asked, and what the log says, with a clock of the test's own."""

from __future__ import annotations

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError
from registry_wsgi_redis.outage import Outage

from registry_wsgi.errors import Unavailable


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Log:
    """A Context as far as an outage needs one."""

    def __init__(self):
        self.lines = []

    def error(self, message, **fields):
        self.lines.append(("error", message, str(fields["error"])))

    def info(self, message, **fields):
        self.lines.append(("info", message))


CUT = RedisConnectionError("connection cut")
FAILED = ("error", "the Redis cache failed; requests go on without it", "connection cut")
BACK = ("info", "the Redis cache answers again")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def outage(clock):
    return Outage(clock)


def test_nobody_asks_for_a_while_after_a_failure_and_then_one(outage, clock, log):
    outage.check()
    outage.failed(log, CUT)
    for _ in range(3):
        with pytest.raises(Unavailable):
            outage.check()
    clock.now += 2.1
    outage.check()
    with pytest.raises(Unavailable):
        outage.check()


def test_all_ask_again_after_an_answer(outage, clock, log):
    outage.failed(log, CUT)
    clock.now += 2.1
    outage.check()
    outage.over(log)
    for _ in range(3):
        outage.check()
    assert log.lines == [FAILED, BACK]


def test_a_request_that_tries_and_never_returns_is_followed_by_another(outage, clock, log):
    outage.failed(log, CUT)
    for _ in range(3):
        clock.now += 2.1
        outage.check()


def test_a_long_outage_is_one_line_a_minute(outage, clock, log):
    for _ in range(119):
        outage.failed(log, CUT)
        clock.now += 1
    assert log.lines == [FAILED, FAILED]


def test_one_that_comes_and_goes_is_one_line_a_minute_and_one_more_for_the_return(outage, clock, log):
    for _ in range(59):
        outage.failed(log, CUT)
        outage.over(log)
        clock.now += 1
    assert log.lines == [FAILED, BACK]


def test_a_server_that_refuses_is_asked_again_at_once_and_reported_as_seldom(outage, clock, log):
    for _ in range(3):
        outage.failed(log, OutOfMemoryError("maxmemory"))
        outage.check()
    outage.over(log)
    assert len(log.lines) == 1


def test_an_answer_without_an_outage_says_nothing(outage, log):
    outage.over(log)
    assert log.lines == []

"""Log lines by mail, to a real SMTP server: what is sent, how, and that nobody ever waits for it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import ssl
import threading
import time
from contextlib import closing, contextmanager
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from webtest import TestApp

from registry_wsgi import create_app, logs
from registry_wsgi.logs import mailing
from registry_wsgi.logs.mailing import BackgroundHandler, MailHandler
from registry_wsgi.middleware.tracing import TracingLayer
from registry_wsgi.testing.certificates import authority
from tests import waiting
from tests.servers import free_port
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

    from tests.conftest import Serve

logger = logging.getLogger("registry_wsgi.test")


class EndingController(Controller):
    """A controller that closes what its clients left open, which it would leave to the garbage collector."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.made: list[SMTP] = []

    def factory(self) -> SMTP:
        self.made.append(super().factory())
        return self.made[-1]

    def stop(self, no_assert: bool = False) -> None:
        asyncio.run_coroutine_threadsafe(self.close(), self.loop).result()
        super().stop(no_assert)

    async def close(self) -> None:
        for each in self.made:
            if each.transport is not None:
                each.transport.abort()
        await asyncio.sleep(0)  # in which they are told that they are closed


class MailServer:
    """An SMTP server on loopback that keeps what it is sent; with `hold`, not before `release` is set."""

    def __init__(self, port: int, options: dict[str, Any]) -> None:
        self.addr = ("127.0.0.1", port)
        self.mails: list[EmailMessage] = []
        self.encrypted: list[bool] = []
        self.logins: list[tuple[str, str]] = []
        self.release = threading.Event()
        self.release.set()
        self.controller = EndingController(
            self, *self.addr, authenticator=self.login, auth_require_tls=False, **options
        )

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        while not self.release.is_set():
            await asyncio.sleep(0.01)
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def login(self, server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right", handled=False)

    def wait_for(self, count: int) -> list[EmailMessage]:
        until(lambda: len(self.mails) >= count, lambda: f"{len(self.mails)} of {count} mails")
        return self.mails


@contextmanager
def mail_server(**options: Any) -> Iterator[MailServer]:
    server = MailServer(free_port(), options)
    server.controller.start()
    try:
        yield server
    finally:
        server.release.set()
        server.controller.stop()


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(autouse=True)
def flushed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a mail the time that a machine may take which has much else to do."""
    monkeypatch.setattr(mailing, "FLUSH_SECONDS", waiting.SECONDS)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Let no handler of a test stay on the loggers that all tests share."""
    shared = [logging.getLogger(name) for name in ("registry_wsgi", logs.ACCESS_LOGGER)]
    before = [(each, each.handlers, each.level, each.propagate, each.disabled) for each in shared]
    yield
    for each, handlers, level, propagate, disabled in before:
        for handler in each.handlers:
            handler.close()
        each.handlers, each.level, each.propagate, each.disabled = handlers, level, propagate, disabled
        logging.getLogger("registry_wsgi").setLevel(before[0][2])  # forgets what loggers remember of levels


def mailing_to(addr: tuple[str, int], levels: set[str], **options: Any) -> BackgroundHandler:
    """Send the lines of the levels to the server, from now on."""
    mail = MailHandler(addr, sender="registry@b.example", recipients=["c@d.example"], levels=levels, **options)
    handler = BackgroundHandler(mail)
    logs.configure("debug", "json", access_log=False, hooks=[handler])
    return handler


def wait_for_text(capsys: pytest.CaptureFixture[str], text: str) -> str:
    said: list[str] = []

    def is_said() -> bool:
        said.append(capsys.readouterr().err)
        return text in "".join(said)

    until(is_said, lambda: "".join(said))
    return "".join(said)


# ── what is sent ──────────────────────────────────────────────────────────────────────────────


def test_a_line_is_a_mail_with_its_fields(server: MailServer) -> None:
    mailing_to(server.addr, {"error"})
    logger.error("the %s failed", "disk", extra={"fields": {"vars.name": "a/b", "forged": "x\ny"}})
    (mail,) = server.wait_for(1)
    assert (mail["From"], mail["To"]) == ("registry@b.example", "c@d.example")
    assert mail["Subject"] == f"[error] {socket.gethostname()}: the disk failed"
    lines = mail.get_content().splitlines()
    assert lines[0] == "the disk failed"
    assert {"level: error", "vars.name: a/b", 'forged: "x\\ny"'} <= set(lines)


@pytest.mark.parametrize(
    ("levels", "mailed"),
    [
        ({"panic"}, ["critical"]),
        ({"fatal", "panic"}, ["critical"]),
        ({"error", "warn"}, ["warning", "error"]),
        ({"warning"}, ["warning"]),
        ({"info", "debug"}, ["debug", "info"]),
    ],
)
def test_only_the_lines_of_the_levels_are_mailed(server: MailServer, levels: set[str], mailed: list[str]) -> None:
    handler = mailing_to(server.addr, levels)
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(logger, level)(level)
    handler.flush()
    assert [str(mail["Subject"]).rsplit(maxsplit=1)[-1] for mail in server.mails] == mailed


def test_a_request_that_failed_is_a_panic_with_its_traceback(server: MailServer) -> None:
    def failing(environ: object, start_response: object) -> list[bytes]:
        raise RuntimeError("a bug")

    mailing_to(server.addr, {"panic"})
    assert TestApp(TracingLayer(failing)).get("/v2/a/tags/list", status=500).status_code == 500
    (mail,) = server.wait_for(1)
    assert mail["Subject"].startswith("[fatal] ")
    content = mail.get_content().replace("\r\n", "\n")
    assert "RuntimeError: a bug" in content
    assert content.index("Traceback (most recent call last):\n") > content.index("vars.name: a\n")


@pytest.mark.parametrize("text", ["a\r\nBcc: everyone@b.example", "\x00\x1b[2J", "\udcff", "ü" * 5000, ""])
def test_what_a_client_sent_harms_no_mail(server: MailServer, text: str) -> None:
    mailing_to(server.addr, {"info"})
    logger.info(text, extra={"fields": {"http.request.uri": text}})
    (mail,) = server.wait_for(1)
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith("[info] ")


# ── how ───────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def tls_server(directory: Path) -> Iterator[MailServer]:
    pair = authority(directory).issue("mail")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    with mail_server(tls_context=context) as server:
        yield server


def test_a_connection_is_encrypted_where_the_server_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tls_server(tmp_path) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        mailing_to(server.addr, {"info"}, username="u", password="right")
        logger.info("secret")
        server.wait_for(1)
        assert server.encrypted == [True]
        assert server.logins == [("u", "right")]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # aiosmtpd's side of the handshake
def test_a_certificate_that_nobody_vouches_for_gets_no_mail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tls_server(tmp_path) as server:
        mailing_to(server.addr, {"info"}, username="u", password="right")
        logger.info("secret")
        assert "certificate verify failed" in wait_for_text(capsys, "could not be mailed")
        assert (server.mails, server.logins) == ([], [])
    gc.collect()  # what that leaves open is closed here, and not in another test


def test_insecure_takes_any_certificate(tmp_path: Path) -> None:
    with tls_server(tmp_path) as server:
        mailing_to(server.addr, {"info"}, insecure=True)
        logger.info("not secret")
        server.wait_for(1)
        assert server.encrypted == [True]


@pytest.mark.parametrize(
    ("host", "insecure", "told"), [("localhost", False, 1), ("local.test", False, 0), ("local.test", True, 1)]
)
def test_a_password_is_told_without_tls_only_here_or_where_it_may_be(
    server: MailServer, monkeypatch: pytest.MonkeyPatch, host: str, insecure: bool, told: int
) -> None:
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *rest: look_up("127.0.0.1", *rest))
    handler = mailing_to((host, server.addr[1]), {"info"}, username="u", password="right", insecure=insecure)
    logger.info("hello")
    handler.flush()
    until(lambda: (len(server.logins), len(server.mails)) == (told, told), lambda: f"{server.logins}, {server.mails}")


# ── and that nobody waits, or fails ───────────────────────────────────────────────────────────


def test_a_wrong_password_is_one_warning_in_the_log(server: MailServer, capsys: pytest.CaptureFixture[str]) -> None:
    handler = mailing_to(server.addr, {"info", "warn"}, username="u", password="wrong")
    logger.info("hello")
    said = wait_for_text(capsys, "could not be mailed")
    assert "wrong" not in said
    handler.flush()
    # The warning is of a level that is mailed, and is not: it would never end.
    assert len(server.logins) == 2  # two mechanisms
    assert "could not be mailed" not in capsys.readouterr().err


def test_a_server_that_is_not_there_is_one_warning(free_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    mailing_to(("127.0.0.1", free_port), {"info"})
    logger.info("hello")
    assert "Connection refused" in wait_for_text(capsys, "could not be mailed")


def test_no_caller_waits_for_a_server_that_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # it takes connections and says nothing
        handler = mailing_to(silent.getsockname(), {"info"})
        for number in range(5 * mailing.WAITING):
            logger.info("line %s", number)
        # All lines are taken while the first mail is still waiting for the server's greeting.
    assert handler.queue.qsize() <= mailing.WAITING  # type: ignore[attr-defined]
    # Said again only where a line found room in between, which is not once for each line that is dropped.
    assert 1 <= capsys.readouterr().err.count("too many log lines wait") <= 3


def test_what_waits_is_sent_when_logging_ends(server: MailServer) -> None:
    handler = mailing_to(server.addr, {"info"})
    server.release.clear()
    for _ in range(3):
        logger.info("hello")
    threading.Timer(0.3, server.release.set).start()
    handler.flush()
    assert len(server.mails) == 3


def test_the_end_of_logging_waits_for_no_server(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailing, "FLUSH_SECONDS", 0.2)
    handler = mailing_to(server.addr, {"info"})
    server.release.clear()
    logger.info("hello")
    started = time.monotonic()
    handler.flush()
    handler.close()
    assert time.monotonic() - started < 2


def test_a_process_that_was_forked_sends_too(server: MailServer) -> None:
    handler = mailing_to(server.addr, {"info"})
    logger.info("parent")
    server.wait_for(1)
    child = os.fork()
    if not child:
        logger.info("child")
        handler.flush()
        os._exit(0)
    os.waitpid(child, 0)
    assert server.wait_for(2)[1]["Subject"].endswith("child")


def threads_that_mail() -> int:
    """Return how many there are; the mail server has threads of its own."""
    return sum("_monitor" in each.name for each in threading.enumerate())  # as logging names its listeners


def test_a_new_configuration_ends_the_old_threads(server: MailServer) -> None:
    before = threads_that_mail()
    for _ in range(5):
        handler = mailing_to(server.addr, {"info"})
        logger.info("hello")
        handler.flush()
    logs.configure("info", "text", access_log=False)
    until(lambda: threads_that_mail() <= before)
    assert len(server.mails) == 5


# ── as configured ─────────────────────────────────────────────────────────────────────────────


def hook(server: MailServer, *levels: str) -> dict[str, Any]:
    options = {"smtp": {"addr": "127.0.0.1:{1}".format(*server.addr)}, "from": "a@b.example", "to": ["c@d.example"]}
    return {"type": "mail", "levels": list(levels), "options": options}


def test_an_application_has_the_hooks_of_its_configuration(server: MailServer) -> None:
    app = TestApp(create_app({"storage": "inmemory", "log": {"hooks": [hook(server, "error", "info")]}}))
    app.get("/v2/none/tags/list", status=404)
    mails = server.wait_for(1)
    assert ["name_unknown" in mail.get_content() for mail in mails] == [True], [mail.get_content() for mail in mails]


def test_a_server_that_ends_sends_what_waits(server: MailServer, serve: Serve) -> None:
    running = serve(sections={"log": {"hooks": [hook(server, "info")], "reportcaller": True}})
    server.release.clear()
    threading.Timer(0.5, server.release.set).start()
    assert running.stop() == 0
    assert 'func: "tracing._completed"' in server.wait_for(1)[-1].get_content()

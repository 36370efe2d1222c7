"""Log lines that somebody gets by mail: `log.hooks` of registry:2.

A line is put into a bounded queue and sent by a thread, so that no request waits for a mail server, nor
fails with it. What could not be sent is told in the log, and such a line is never mailed itself.
"""

from __future__ import annotations

import copy
import logging
import os
import queue
import smtplib
import socket
import ssl
import time
from contextlib import suppress
from email.message import EmailMessage
from email.utils import localtime
from logging.handlers import QueueHandler, QueueListener, SMTPHandler
from typing import TYPE_CHECKING, Any

from registry_wsgi.logs.handling import LineFormatter
from registry_wsgi.logs.lines import Line, letter

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

LEVELS = {
    "panic": logging.CRITICAL,
    "fatal": logging.CRITICAL,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}
"""registry:2 has two names for the worst."""

WAITING = 100
"""The most lines that wait for a mail server, of one process."""
SEND_SECONDS = 10.0
FLUSH_SECONDS = 5.0
_SUBJECT_CHARACTERS = 200

_problems = logging.getLogger("registry_wsgi.logs.mailing")


class MailHandler(SMTPHandler):
    """Sends each line of one of `levels` as a mail.

    The connection becomes TLS wherever the server can, with a certificate that is checked. Without TLS a
    password is told only to this machine. `insecure` gives up both.
    """

    def __init__(
        self,
        addr: tuple[str, int],
        *,
        sender: str,
        recipients: Sequence[str],
        levels: Collection[str],
        username: str = "",
        password: str = "",
        insecure: bool = False,
    ) -> None:
        super().__init__(addr, sender, list(recipients), "")
        self._addr = addr
        numbers = {LEVELS[name] for name in levels}
        self.addFilter(lambda record: record.levelno in numbers)
        self.setFormatter(LineFormatter(letter))
        self._login = (username, password)
        self._insecure = insecure

    def getSubject(self, record: logging.LogRecord) -> str:
        """Return what registry:2 writes: the level, the host, the message."""
        text = " ".join(f"[{Line.of(record).level_name}] {socket.gethostname()}: {record.getMessage()}".split())
        # What a client sent can be in a message, and no header takes a control character.
        return "".join(character if character.isprintable() else "?" for character in text[:_SUBJECT_CHARACTERS])

    def emit(self, record: logging.LogRecord) -> None:
        # The library's own knows TLS only together with a password, and checks no certificate.
        try:
            letter = self._letter(record)
            with smtplib.SMTP(*self._addr, timeout=SEND_SECONDS) as server:
                self._introduce(server)
                refused = server.send_message(letter)
            if refused:
                self._complain(f"refused: {refused}")
        except Exception as error:  # the last resort of a thread that nobody watches
            self._complain(error)

    def _complain(self, reason: object) -> None:
        fields = {"mail.server": "{}:{}".format(*self._addr), "mail.error": " ".join(str(reason).split())}
        _problems.warning("a log line could not be mailed", extra={"fields": fields})

    def _letter(self, record: logging.LogRecord) -> EmailMessage:
        letter = EmailMessage()
        letter["From"], letter["To"] = self.fromaddr, ", ".join(self.toaddrs)
        letter["Subject"], letter["Date"] = self.getSubject(record), localtime()
        letter["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: nobody's holiday notice is an answer to it
        letter.set_content(self.format(record).encode(errors="backslashreplace").decode())
        return letter

    def _introduce(self, server: smtplib.SMTP) -> None:
        server.ehlo()
        if encrypted := server.has_extn("starttls"):
            server.starttls(context=self._tls())
            server.ehlo()
        if self._login[0]:
            if not (encrypted or self._insecure or self.mailhost in {"localhost", "127.0.0.1", "::1"}):
                raise ValueError("the server has no TLS, so the password was not sent; options.smtp.insecure allows it")
            server.login(*self._login)

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class BackgroundHandler(QueueHandler):
    """Hands records to `handler` in a thread of its own, and drops them where too many wait.

    The thread is started with the first record of a process: one that a server forks has no threads of its parent.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self._lines: queue.Queue[Any] = queue.Queue(WAITING)
        super().__init__(self._lines)
        self._handler = handler
        self._listener: QueueListener | None = None
        self._process = 0
        self._dropping = False
        self.addFilter(self._wanted)

    def _wanted(self, record: logging.LogRecord) -> bool:
        return record.name != _problems.name and bool(self._handler.filter(record))

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the record with its text made now; the library's own would lose the traceback's place."""
        prepared = copy.copy(record)
        prepared.msg, prepared.args = record.getMessage(), None
        return prepared

    def enqueue(self, record: logging.LogRecord) -> None:
        if self._process != os.getpid():
            self._start()
        try:
            self.queue.put_nowait(record)
            self._dropping = False
        except queue.Full:
            if not self._dropping:  # said once for all that follow
                _problems.warning("too many log lines wait to be mailed; some are dropped")
            self._dropping = True

    def _start(self) -> None:
        self.queue = self._lines = queue.Queue(WAITING)
        self._listener = QueueListener(self.queue, self._handler)
        self._listener.start()
        self._process = os.getpid()

    def flush(self) -> None:
        """Wait until everything is sent, but not for long; `logging.shutdown` calls it."""
        ends = time.monotonic() + FLUSH_SECONDS
        while self._process == os.getpid() and self._lines.unfinished_tasks and time.monotonic() < ends:
            time.sleep(0.02)

    def close(self) -> None:
        """End the thread, which sends no more than the line it is at."""
        if self._listener is not None and self._process == os.getpid():
            with suppress(queue.Empty):
                while True:
                    self._lines.get_nowait()
            self._listener.enqueue_sentinel()
        super().close()

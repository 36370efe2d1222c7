"""The section `log`, and `loglevel`, its predecessor."""

from __future__ import annotations

from typing import Final

from registry_wsgi.config.key import Key, ours, since_3
from registry_wsgi.config.kinds import BOOLEAN, FILE, MAILBOX, MAILBOXES, MAPPING, SECRET, SERVER, TEXT, one_of

_LEVEL = one_of("error", "warn", "info", "debug")

KEYS: Final = (
    Key(
        "log.level",
        "the least severe lines to log; `debug` also logs every call of the storage driver",
        _LEVEL,
        otherwise="`info`",
    ),
    Key("log.formatter", "the format of log lines", one_of("text", "json", "logstash"), "text"),
    Key("log.fields", "fields added to the log lines", MAPPING, {}),
    Key("log.accesslog.disabled", "whether the access log is left out", BOOLEAN, False),
    ours(
        "log.audit",
        "where the [audit log](access.md#the-audit-log) goes: a line for each write, login and refusal",
        FILE,
        "",
    ),
    since_3(
        "log.reportcaller",
        "whether log lines say where in the code they were written, as `func` and `file`",
        BOOLEAN,
        False,
    ),
    Key(
        "log.hooks[].type",
        "who else gets log lines: somebody by [mail](configuration.md#log-lines-by-mail)",
        one_of("mail"),
        otherwise="required",
    ),
    Key("log.hooks[].disabled", "whether the hook is left out; then it needs nothing else", BOOLEAN, False),
    Key(
        "log.hooks[].levels[]",
        "the levels of its lines; what `log.level` leaves out no hook gets. `panic` and `fatal` are one",
        one_of("panic", "fatal", "error", "warn", "warning", "info", "debug", unset=()),
        otherwise="required",
    ),
    Key("log.hooks[].options.smtp.addr", "the mail server", SERVER, otherwise="required"),
    Key("log.hooks[].options.smtp.username", "the name to log in with", TEXT, ""),
    Key("log.hooks[].options.smtp.password", "the password, in quotes if it looks like a number", SECRET, ""),
    Key(
        "log.hooks[].options.smtp.insecure",
        "whether the server's certificate is not checked, and the password sent without TLS if need be",
        BOOLEAN,
        False,
    ),
    Key("log.hooks[].options.from", "the sender", MAILBOX, otherwise="required"),
    Key("log.hooks[].options.to[]", "the recipients", MAILBOXES, otherwise="required"),
    Key("loglevel", "deprecated: counts only where `log.level` is absent; a warning", _LEVEL),
)

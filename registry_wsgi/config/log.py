"""The section `log`, and its hooks: what each needs is asked for only where it is not disabled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry_wsgi.config.model import Log, MailHook
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from registry_wsgi.config.findings import Findings


def read_log(section: dict[str, Any], loglevel: str | None, findings: Findings) -> Log:
    """Return what the checked section says; `loglevel` is its predecessor at the top of the file."""
    if loglevel is not None:
        findings.warnings.append("loglevel is deprecated: write log.level")
    hooks = []
    for number, hook in enumerate(section["hooks"]):
        if not hook["disabled"]:
            with findings.noted():
                hooks.append(_mail(hook, f"log.hooks[{number}]"))
    return Log(
        level=section["level"] or loglevel or "info",
        formatter=section["formatter"],
        fields=section["fields"],
        accesslog_disabled=section["accesslog"]["disabled"],
        audit=section["audit"],
        reportcaller=section["reportcaller"],
        hooks=tuple(hooks),
    )


def _mail(hook: dict[str, Any], key: str) -> MailHook:
    options = hook["options"]
    smtp = options["smtp"]
    required = {
        "type": (hook["type"], "mail"),
        "levels": (hook["levels"], "a list of levels such as [panic, error]"),
        "options.smtp.addr": (smtp["addr"], "a host and port such as mail.example.com:25"),
        "options.from": (options["from"], "an e-mail address"),
        "options.to": (options["to"], "a list of e-mail addresses"),
    }
    for name, (value, allowed) in required.items():
        if not value:
            raise ConfigurationError(f"{key}.{name}: required, but not given; allowed: {allowed}")
    host, _, port = smtp["addr"].rpartition(":")
    return MailHook(
        addr=(host.strip("[]"), int(port)),
        username=smtp["username"],
        password=smtp["password"],
        insecure=smtp["insecure"],
        sender=options["from"],
        recipients=tuple(options["to"]),
        levels=frozenset(hook["levels"]),
    )

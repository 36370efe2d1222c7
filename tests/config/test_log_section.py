"""The section `log`: who is mailed which lines, and what a hook must say unless it is disabled."""

from __future__ import annotations

from typing import Any

import pytest

from registry_wsgi.config import MailHook, load
from registry_wsgi.errors import ConfigurationError

MAIL: dict[str, Any] = {"smtp": {"addr": "mail.example.com:25"}, "from": "a@b.example", "to": ["c@d.example"]}
HOOK: dict[str, Any] = {"type": "mail", "levels": ["PANIC", "warn"], "options": MAIL}
READ = MailHook(
    ("mail.example.com", 25),
    username="",
    password="",
    insecure=False,
    sender="a@b.example",
    recipients=("c@d.example",),
    levels=frozenset({"panic", "warn"}),
)


def hooks(*given: object) -> tuple[MailHook, ...]:
    config = load({"storage": "inmemory", "log": {"hooks": list(given)}})
    assert config.warnings == ()
    return config.log.hooks


def with_options(**options: object) -> dict[str, Any]:
    return {**HOOK, "options": {**MAIL, **options}}


def test_a_hook_is_read() -> None:
    assert hooks(HOOK) == (READ,)


def test_a_hook_has_all_that_a_mail_server_asks_for() -> None:
    smtp = {"addr": "[::1]:587", "username": "u", "password": "p", "insecure": True}
    (hook,) = hooks(with_options(smtp=smtp))
    assert (hook.addr, hook.username, hook.password, hook.insecure) == (("::1", 587), "u", "p", True)
    assert "'p'" not in repr(hook)


def test_a_disabled_hook_needs_nothing() -> None:
    assert hooks({"disabled": True}, {"type": "mail", "disabled": True, "levels": ["panic"]}) == ()


def test_hooks_can_be_given_by_variables() -> None:
    environ = {
        "REGISTRY_LOG_HOOKS_0_TYPE": "mail",
        "REGISTRY_LOG_HOOKS_0_LEVELS": "[panic, warn]",
        "REGISTRY_LOG_HOOKS_0_MAILOPTIONS_SMTP_ADDR": "mail.example.com:25",
        "REGISTRY_LOG_HOOKS_0_MAILOPTIONS_FROM": "a@b.example",
        "REGISTRY_LOG_HOOKS_0_MAILOPTIONS_TO_0": "c@d.example",
    }
    assert load({"storage": "inmemory"}, environ).log.hooks == (READ,)


@pytest.mark.parametrize("value", [True, False, None])
def test_the_caller_is_reported_if_asked_for(value: bool | None) -> None:
    assert load({"storage": "inmemory", "log": {"reportcaller": value}}).log.reportcaller is bool(value)


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ({"reportcaller": "yes"}, "log.reportcaller: must be true or false, not yes (text)"),
        ({"hooks": HOOK}, "log.hooks: must be a list, not a mapping"),
        ({"hooks": [None]}, "log.hooks[0].type: required, but not given; allowed: mail"),
        ({"hooks": [{**HOOK, "type": "slack"}]}, "log.hooks[0].type: must be mail, not slack (text)"),
        ({"hooks": [{**HOOK, "levels": []}]}, "log.hooks[0].levels: required, but not given; allowed: a list of"),
        ({"hooks": [{**HOOK, "levels": "panic"}]}, "log.hooks[0].levels: must be a list, not panic (text)"),
        ({"hooks": [{**HOOK, "levels": ["loud"]}]}, "log.hooks[0].levels[0]: must be one of panic, fatal, error,"),
        ({"hooks": [{**HOOK, "levels": [""]}]}, "log.hooks[0].levels[0]: must be one of panic, fatal, error,"),
        ({"hooks": [{**HOOK, "levels": [None]}]}, "log.hooks[0].levels[0]: must be one of panic, fatal, error,"),
        ({"hooks": [HOOK, {**HOOK, "options": None}]}, "log.hooks[1].options.smtp.addr: required, but not given"),
        ({"hooks": [with_options(**{"from": ""})]}, "log.hooks[0].options.from: required, but not given"),
        ({"hooks": [with_options(**{"from": "a"})]}, "log.hooks[0].options.from: must be an e-mail address such as"),
        ({"hooks": [with_options(to=[])]}, "log.hooks[0].options.to: required, but not given; allowed: a list of"),
        ({"hooks": [with_options(to="c@d.example")]}, "log.hooks[0].options.to: must be a list, not c@d.example"),
        ({"hooks": [with_options(to=["a@b\r\nBcc: c@d"])]}, "log.hooks[0].options.to[0]: must be an e-mail address"),
        ({"hooks": [with_options(to=["<a@b.example>"])]}, "log.hooks[0].options.to[0]: must be an e-mail address"),
        ({"hooks": [with_options(smtp={"addr": ":25"})]}, "options.smtp.addr: must be a host and port such as"),
        ({"hooks": [with_options(smtp={"addr": "mail"})]}, "options.smtp.addr: must be a host and port such as"),
        ({"hooks": [with_options(smtp={"addr": "mail:0"})]}, "options.smtp.addr: must be a host and port such as"),
        ({"hooks": [with_options(smtp={"addr": "/run/mail"})]}, "options.smtp.addr: must be a host and port such as"),
        ({"hooks": [with_options(smtp={"password": 5})]}, "options.smtp.password: must be text, in quotes if it looks"),
    ],
)
def test_anything_else_is_one_line_with_the_key_and_what_is_allowed(log: object, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load({"storage": "inmemory", "log": log})
    assert message in str(raised.value)
    assert str(raised.value).isprintable()

"""The controller `policy`: rules say who may do what, and another controller who is asking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from registry_wsgi.auth.challenge import basic_credentials
from registry_wsgi.auth.rules import Rules
from registry_wsgi.errors import ConfigurationError, Denied, Unauthorized
from registry_wsgi.interfaces import Grant, Recalling, TokenIssuer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.auth.rules import Caller, Decision
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import Access, AccessController, Document

_FILE_KEYS = {"rules", "groups"}


class PolicyController:
    """Asks `users` who it is and `rules`, those of the section or of a `file`, whether they may.

    Both have to allow it: a bearer token that lists less than its user may grants no more than it lists. Without
    credentials the caller is anonymous; wrong credentials are no anonymous ones. Of anonymous callers who are refused
    `users` asks for credentials, while a known user is told the reason. The file is read again when it changes,
    and one that is broken changes nothing. Raises ConfigurationError.
    """

    def __init__(
        self,
        *,
        users: AccessController,
        rules: list[object] | None = None,
        groups: Mapping[str, object] | None = None,
        file: Document | None = None,
    ) -> None:
        if isinstance(users, TokenIssuer):
            raise ConfigurationError("users: an issuer asks a policy, not the other way round: put it around this")
        self._users = users
        self._rules = PolicyRules(rules=rules, groups=groups, file=file)

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
        rules = self._rules.current(ctx)
        try:
            known = self._users.authorize(ctx, environ, access)
        except Unauthorized:
            # `/v2/` needs no access, and is where clients learn that they can log in.
            if access and _without_credentials(environ):
                refusal = _refusal(ctx, rules, rules.caller(""), access)
                if refusal is None:
                    return _grant(rules, Grant("", _anything), access)
            raise
        ctx.user = known.user
        refusal = _refusal(ctx, rules, rules.caller(known.user, known.groups), access)
        if refusal is not None:
            raise refusal
        return _grant(rules, known, access)

    def recall(self, ctx: Context, user: str) -> tuple[Grant, str] | None:
        recalled = self._users.recall(ctx, user) if isinstance(self._users, Recalling) else None
        return recalled and (_grant(self._rules.current(ctx), recalled[0], ()), recalled[1])


class PolicyRules:
    """The rules of a policy's section as they are now: its own, or its file's. Raises ConfigurationError."""

    def __init__(self, *, rules: object = None, groups: object = None, file: Document | None = None) -> None:
        if (rules is None) == (file is None):
            raise ConfigurationError("either rules or file is required, and not both")
        if file is not None and groups is not None:
            raise ConfigurationError("groups: belong into the file, where the rules are")
        self._file = file
        self._seen = file.stamp() if file else ()
        self._rules = _of_file(file) if file else Rules(rules, groups)

    def current(self, ctx: Context) -> Rules:
        """Return the rules; of a file that is broken or gone, those that were read last."""
        if self._file is not None:
            seen = self._seen
            try:
                self._seen = self._file.stamp()
                if self._seen != seen:
                    self._rules = _of_file(self._file)
            except ConfigurationError as error:
                ctx.error("the policy's file cannot be used: the rules read before it stay", **{"auth.error": error})
        return self._rules


def policy_section(section: object) -> Mapping[str, object] | None:
    """Return the parameters of the policy in the section `auth`, where it may stand inside other controllers."""
    for name, parameters in section.items() if isinstance(section, Mapping) else ():
        if name == "policy" and isinstance(parameters, Mapping):
            return parameters
        if (found := policy_section(parameters)) is not None:
            return found
    return None


def _of_file(file: Document) -> Rules:
    content = file.read()
    if not isinstance(content, Mapping) or not content.keys() <= _FILE_KEYS:
        raise ConfigurationError(f"{file.path}: must be a mapping with the keys rules and groups alone")
    try:
        return Rules(content.get("rules"), content.get("groups"))
    except ConfigurationError as error:
        raise ConfigurationError(f"{file.path}: {error}") from error


def _without_credentials(environ: WSGIEnvironment) -> bool:
    """Tell whether there are none: clients without any send an empty Basic header after a challenge, too."""
    return not environ.get("HTTP_AUTHORIZATION") or basic_credentials(environ) == ("", "")


def _refusal(ctx: Context, rules: Rules, caller: Caller, access: Iterable[Access]) -> Denied | None:
    """Return the error about the first of `access` that the rules refuse, None where there is none."""
    for each in access:
        decision = _decision(rules, caller, each)
        if not decision.allowed:
            ctx.rule = decision.told
            who = caller.user or "anonymous"
            return Denied(decision.reason or f"{who} may not {each.action} {each.name}: {decision.text}")
    return None


def _grant(rules: Rules, known: Grant, access: Iterable[Access]) -> Grant:
    """Return what a caller may by the rules, and by the word of who knows them."""
    caller = rules.caller(known.user, known.groups)

    def may(wanted: Access) -> bool:
        return known.may(wanted) and _decision(rules, caller, wanted).allowed

    told = dict.fromkeys(_decision(rules, caller, each).told for each in access)
    return Grant(known.user, may, caller.names, "; ".join(told) or known.rule)


def _decision(rules: Rules, caller: Caller, access: Access) -> Decision:
    return rules.decide(caller, "catalog" if access.type == "registry" else access.action, access.name)


def _anything(_: Access) -> bool:
    return True

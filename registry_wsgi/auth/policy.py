"""The controller `policy`: rules say who may do what, and another controller who is asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from registry_wsgi.auth.challenge import basic_credentials
from registry_wsgi.auth.needed import anything, is_usual
from registry_wsgi.auth.rules import Rules
from registry_wsgi.auth.watched import Watched
from registry_wsgi.errors import ConfigurationError, Denied, Unauthorized
from registry_wsgi.interfaces import Grant, Recalling, TokenIssuer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.auth.rules import Caller, Decision
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import Access, AccessController, Document

_REMEMBERED = 10_000
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
        # Clients ask the same again and again, and what a set of rules says of a caller it says always.
        self._remembered = lru_cache(_REMEMBERED)(_judge)

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
        rules = self._rules.current(ctx)
        judge = self._remembered if is_usual(access) else _judge
        try:
            known = self._users.authorize(ctx, environ, access)
        except Unauthorized:
            # `/v2/` needs no access, and is where clients learn that they can log in.
            if not access or not _without_credentials(environ):
                raise
            judged = judge(rules, _ANYBODY, access)
            if judged.refused is None:
                return judged.grant
            ctx.rule = judged.grant.rule
            raise
        judged = judge(rules, known, access)
        if judged.refused is not None:
            ctx.user, ctx.rule = known.user, judged.grant.rule
            raise Denied(judged.refused)
        return judged.grant

    def recall(self, ctx: Context, user: str) -> tuple[Grant, str] | None:
        recalled = self._users.recall(ctx, user) if isinstance(self._users, Recalling) else None
        return recalled and (_judge(self._rules.current(ctx), recalled[0], ()).grant, recalled[1])


@dataclass(frozen=True, slots=True)
class _Judgement:
    """What a caller may by the rules and by the word of who knows them, and why not what was asked for, if so."""

    grant: Grant
    refused: str | None = None


class PolicyRules:
    """The rules of a policy's section as they are now: its own, or its file's. Raises ConfigurationError."""

    def __init__(self, *, rules: object = None, groups: object = None, file: Document | None = None) -> None:
        if (rules is None) == (file is None):
            raise ConfigurationError("either rules or file is required, and not both")
        if file is not None and groups is not None:
            raise ConfigurationError("groups: belong into the file, where the rules are")
        self._rules = Rules(rules, groups) if file is None else Watched(file.stamp, lambda: _of_file(file))

    def current(self, ctx: Context) -> Rules:
        """Return the rules; of a file that is broken or gone, those that were read last."""
        return self._rules if isinstance(self._rules, Rules) else self._rules.current(ctx)


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


def _judge(rules: Rules, known: Grant, access: tuple[Access, ...]) -> _Judgement:
    caller = rules.caller(known.user, known.groups)

    def may(wanted: Access) -> bool:
        return known.may(wanted) and _decision(rules, caller, wanted).allowed

    told: dict[str, None] = {}
    for each in access:
        decision = _decision(rules, caller, each)
        if not decision.allowed:
            who = caller.user or "anonymous"
            reason = decision.reason or f"{who} may not {each.action} {each.name}: {decision.text}"
            return _Judgement(Grant(known.user, may, caller.names, decision.told), reason)
        told[decision.told] = None
    return _Judgement(Grant(known.user, may, caller.names, "; ".join(told) or known.rule))


def _decision(rules: Rules, caller: Caller, access: Access) -> Decision:
    return rules.decide(caller, "catalog" if access.type == "registry" else access.action, access.name)


_ANYBODY = Grant("", anything)

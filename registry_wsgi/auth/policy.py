"""The controller `policy`: rules say who may do what, and another controller who is asking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from registry_wsgi.auth.challenge import basic_credentials, detail_of
from registry_wsgi.auth.rules import Rules
from registry_wsgi.errors import ConfigurationError, Denied, Unauthorized
from registry_wsgi.interfaces import Access, Grant

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.auth.rules import Caller, Decision
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import AccessController, Document

_FILE_KEYS = {"rules", "groups"}


class PolicyController:
    """Asks `users` who it is and `rules`, those of the section or of a `file`, whether they may.

    Without credentials the caller is anonymous; wrong credentials are no anonymous ones. Of anonymous callers
    who are refused `users` asks for credentials, while a known user is told the reason. The file is read again when it
    changes, and one that is broken changes nothing. Raises ConfigurationError.
    """

    def __init__(
        self,
        *,
        users: AccessController,
        rules: list[object] | None = None,
        groups: Mapping[str, object] | None = None,
        file: Document | None = None,
    ) -> None:
        self._users = users
        self._rules = PolicyRules(rules=rules, groups=groups, file=file)

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
        rules = self._rules.current(ctx)
        try:
            known = self._users.authorize(ctx, environ, ())
        except Unauthorized as challenge:
            if not _without_credentials(environ):
                raise Unauthorized(detail_of(access), headers=challenge.headers) from None
            return self._anonymous(ctx, environ, access, rules, challenge)
        if not known.user:
            return self._anonymous(ctx, environ, access, rules, Unauthorized(detail_of(access)))
        caller = rules.caller(known.user, known.groups)
        decisions = [_decision(rules, caller, each) for each in access]
        rule = "; ".join(dict.fromkeys(map(_told, decisions))) or "policy: known"
        ctx.user = known.user
        for each, decision in zip(access, decisions, strict=True):
            if not decision.allowed:
                ctx.rule = _told(decision)
                raise Denied(decision.reason or f"{known.user} may not {each.action} {each.name}: {decision.text}")
        return Grant(
            known.user, lambda wanted: _decision(rules, caller, wanted).allowed, tuple(sorted(caller.groups)), rule
        )

    def _anonymous(
        self,
        ctx: Context,
        environ: WSGIEnvironment,
        access: tuple[Access, ...],
        rules: Rules,
        challenge: Unauthorized,
    ) -> Grant:
        """Return the grant of an anonymous caller. `/v2/` needs no access, and is where clients learn to log in."""
        caller = rules.caller("")
        decisions = [_decision(rules, caller, each) for each in access]
        if access and all(decision.allowed for decision in decisions):
            return Grant(
                "",
                lambda wanted: _decision(rules, caller, wanted).allowed,
                (),
                "; ".join(dict.fromkeys(map(_told, decisions))),
            )
        ctx.rule = "; ".join(_told(decision) for decision in decisions if not decision.allowed)
        if access:
            self._users.authorize(ctx, environ, access)  # raises the challenge with the scope that it needs
        raise challenge


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


def _decision(rules: Rules, caller: Caller, access: Access) -> Decision:
    if access.type == "registry":
        return rules.decide(caller, "catalog", access.name)
    return rules.decide(caller, access.action, access.name)


def _told(decision: Decision) -> str:
    return f"policy rule {decision.number}: {decision.text}" if decision.number else f"policy: {decision.text}"

"""Rules of a policy: who may do what on which repositories, and which of several rules counts.

Of the rules that speak of a request the most specific one decides:

1. the one with the more specific pattern of repositories. Patterns are compared component by component from the
   left: a literal one is more specific than one with `*` in it, of two of those the one with more literal characters,
   then `*` alone, then `**`; of two patterns that are equal so far the longer one;
2. of equal patterns the one with the more specific who: a user, a group, anonymous or authenticated, `*`;
3. of those equal too, a denial; and of several the first in the file.

Where no rule speaks, the request is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from registry_wsgi.errors import ConfigurationError
from registry_wsgi.reference import NAME_LENGTH

ACTIONS: Final = ("pull", "push", "delete", "catalog")
_KEYS: Final = ("allow", "deny", "who", "repositories", "reason")
_COMPONENT = re.compile(r"[a-z0-9._*-]+")
_WHO = {"*": 0, "anonymous": 1, "authenticated": 1, "group": 2, "user": 3}
_WHO_ALLOWED = "anonymous, authenticated, user:<name>, group:<name>, *"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; without a name, anonymous."""

    user: str = ""
    groups: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the groups in order."""
        return tuple(sorted(self.groups))

    def is_one_of(self, who: str) -> bool:
        kind, _, name = who.partition(":")
        if kind == "user":
            return bool(self.user) and self.user == name
        if kind == "group":
            return bool(self.user) and name in self.groups
        return kind == "*" or (kind == "authenticated") == bool(self.user)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it is allowed; the number of the rule, 0 if none speaks; its text and the reason it gives."""

    allowed: bool
    number: int = 0
    text: str = "no rule allows it"
    reason: str = ""

    @property
    def told(self) -> str:
        """Return it in words for a log."""
        return f"policy rule {self.number}: {self.text}" if self.number else f"policy: {self.text}"


@dataclass(frozen=True, slots=True)
class _Rule:
    """One who and one pattern of a rule of the file."""

    decision: Decision
    actions: frozenset[str]
    who: str
    pattern: re.Pattern[str] | None  # None for every repository
    rank: tuple[object, ...]

    def speaks(self, caller: Caller, action: str, name: str) -> bool:
        if action not in self.actions or not self.caller_fits(caller):
            return False
        if action == "catalog":
            return self.pattern is None
        # A name that is longer is of no repository, but some patterns would look through 60 KB of it for minutes.
        return self.pattern is None or (len(name) <= NAME_LENGTH and self.pattern.fullmatch(name) is not None)

    def caller_fits(self, caller: Caller) -> bool:
        return caller.is_one_of(self.who)


class Rules:
    """The rules of a section `rules`, and the members of its `groups`. Raises ConfigurationError."""

    def __init__(self, rules: object, groups: object = None) -> None:
        self._groups = _groups(groups)
        if not isinstance(rules, list):
            raise ConfigurationError("rules: must be a list of rules")
        flat = [each for number, rule in enumerate(rules, start=1) for each in _read(number, rule)]
        # The most specific first; what is equal stays in the order of the file.
        self._rules = sorted(flat, key=lambda rule: (rule.rank, not rule.decision.allowed), reverse=True)

    def caller(self, user: str, groups: tuple[str, ...] = ()) -> Caller:
        """Return a user with the groups that somebody else knows of and those of the section."""
        return Caller(user, frozenset(groups) | self._groups.get(user, frozenset()))

    def decide(self, caller: Caller, action: str, name: str) -> Decision:
        """Return the decision about a repository; about the catalog, whose name does not matter."""
        for rule in self._rules:
            if rule.speaks(caller, action, name):
                return rule.decision
        return Decision(allowed=False)


def _groups(section: object) -> dict[str, frozenset[str]]:
    groups: dict[str, set[str]] = {}
    if not isinstance(section, (Mapping, type(None))):
        raise ConfigurationError("groups: must be a mapping of groups to lists of users")
    for group, users in (section or {}).items():
        if not isinstance(users, list) or not all(isinstance(user, str) and user for user in users):
            raise ConfigurationError(f"groups.{group}: must be a list of users")
        for user in users:
            groups.setdefault(user, set()).add(str(group))
    return {user: frozenset(names) for user, names in groups.items()}


def _read(number: int, rule: object) -> list[_Rule]:
    """Return the rule as one for each who and pattern."""
    where = f"rules[{number - 1}]"
    if not isinstance(rule, Mapping):
        raise ConfigurationError(f"{where}: must be a mapping such as {{allow: pull, who: anonymous}}")
    if unknown := [key for key in rule if key not in _KEYS]:
        raise ConfigurationError(f"{where}.{unknown[0]}: unknown key; allowed: {', '.join(_KEYS)}")
    if ("allow" in rule) == ("deny" in rule):
        raise ConfigurationError(f"{where}: must have either allow or deny, with {', '.join(ACTIONS)} or *")
    verb = "allow" if "allow" in rule else "deny"
    words = _list(f"{where}.{verb}", rule[verb], {*ACTIONS, "*"})
    actions = frozenset(ACTIONS) if "*" in words else frozenset(words)
    whos = [_who(f"{where}.who", who) for who in _list(f"{where}.who", rule.get("who"))]
    patterns = _list(f"{where}.repositories", rule.get("repositories", "**"))
    if "catalog" in words and "**" not in patterns:
        raise ConfigurationError(f"{where}.repositories: the catalog is of all of them: leave it out, or write **")
    reason = rule.get("reason", "")
    if not isinstance(reason, str):
        raise ConfigurationError(f"{where}.reason: must be text")
    text = f"{verb} {', '.join(words)} to {', '.join(whos)} on {', '.join(patterns)}"
    decision = Decision(verb == "allow", number, text, reason)
    return [
        _Rule(decision, actions, who, _expression(where, pattern), (_rank(pattern), _WHO[who.partition(":")[0]]))
        for pattern in patterns
        for who in whos
    ]


def _list(key: str, value: object, allowed: set[str] | None = None) -> list[str]:
    values: list[Any] = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(each, str) and each for each in values):
        raise ConfigurationError(f"{key}: must be text, or a list of it")
    if allowed and (wrong := [each for each in values if each not in allowed]):
        raise ConfigurationError(f"{key}: unknown {wrong[0]!r}; allowed: {', '.join(sorted(allowed))}")
    return values


def _who(key: str, who: str) -> str:
    kind, colon, name = who.partition(":")
    if kind not in _WHO or (kind in ("user", "group")) != bool(colon and name) or (colon and not name):
        raise ConfigurationError(f"{key}: unknown {who!r}; allowed: {_WHO_ALLOWED}")
    return who


def _expression(where: str, pattern: str) -> re.Pattern[str] | None:
    """Return the pattern's regular expression: `*` is within a component, `**` one component or more."""
    if pattern == "**":
        return None
    parts = []
    for component in pattern.split("/"):
        if not _COMPONENT.fullmatch(component) or ("**" in component and component != "**"):
            raise ConfigurationError(
                f"{where}.repositories: {pattern!r} is no pattern; allowed: names in which * stands for a part of"
                " a component, and ** alone for one component or more"
            )
        inner = "[^/]*".join(map(re.escape, component.split("*")))
        parts.append("[^/]+(?:/[^/]+)*" if component == "**" else inner if component != "*" else "[^/]+")
    return re.compile("/".join(parts))


def _rank(pattern: str) -> tuple[tuple[int, int], ...]:
    return tuple(
        (0, 0) if word == "**" else (1, len(word) - word.count("*")) if "*" in word else (2, 0)
        for word in pattern.split("/")
    )

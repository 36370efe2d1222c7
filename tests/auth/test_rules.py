"""The rules of a policy, as a table: which of several rules decides."""

from __future__ import annotations

import itertools

import pytest

from registry_wsgi.auth.rules import Rules
from registry_wsgi.errors import ConfigurationError

ALICE, NOBODY = "alice", ""


def rules(*lines: str, groups: object = None) -> Rules:
    """Return rules of lines such as "allow pull anonymous a/**"."""
    return Rules([_rule(line) for line in lines], groups)


def _rule(line: str) -> dict[str, object]:
    verb, actions, who, repositories = line.split()
    return {verb: actions.split(","), "who": who.split(","), "repositories": repositories.split(",")}


# Of each two rules the one that comes first here is more specific about alice, of staff, and a/b/c.
BY_PATTERN = ["a/b/c", "a/b/c*", "a/b/*", "a/b/**", "a/b*/c", "a/*/c", "a/*/*", "a/**/c", "a/**", "*/b/c", "**/c", "**"]
BY_WHO = ["user:alice", "group:staff", "authenticated", "*"]


@pytest.mark.parametrize(("winner", "loser"), list(itertools.combinations(BY_PATTERN, 2)))
@pytest.mark.parametrize("verb", ["allow", "deny"])
def test_the_more_specific_pattern_wins_whatever_the_who_and_the_order(winner: str, loser: str, verb: str) -> None:
    other = "deny" if verb == "allow" else "allow"
    lines = [f"{verb} pull * {winner}", f"{other} pull user:alice {loser}"]
    for order in (lines, lines[::-1]):
        found = rules(*order)
        assert found.decide(found.caller(ALICE), "pull", "a/b/c").allowed == (verb == "allow")


@pytest.mark.parametrize(("winner", "loser"), list(itertools.combinations(BY_WHO, 2)))
@pytest.mark.parametrize("verb", ["allow", "deny"])
def test_of_equal_patterns_the_more_specific_who_wins(winner: str, loser: str, verb: str) -> None:
    other = "deny" if verb == "allow" else "allow"
    lines = [f"{verb} pull {winner} a/**", f"{other} pull {loser} a/**"]
    for order in (lines, lines[::-1]):
        found = rules(*order)
        assert found.decide(found.caller(ALICE, ("staff",)), "pull", "a/b").allowed == (verb == "allow")


def test_of_rules_as_specific_as_each_other_a_denial_wins() -> None:
    for order in (["allow pull * a", "deny pull * a"], ["deny pull * a", "allow pull * a"]):
        found = rules(*order)
        assert not found.decide(found.caller(ALICE), "pull", "a").allowed


def test_of_rules_that_say_the_same_the_first_is_named() -> None:
    found = rules("allow pull * b", "allow pull * a", "allow pull,push * a")
    assert found.decide(found.caller(ALICE), "pull", "a").number == 2


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("**", ["a", "a/b", "a/b/c"], []),
        ("*", ["a", "a-b.c"], ["a/b"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "ab/c", "b/a/c"]),
        ("a/*", ["a/b"], ["a", "a/b/c"]),
        ("**/x", ["a/x", "a/b/x"], ["x", "a/xx"]),
        ("a/**/x", ["a/b/x", "a/b/c/x"], ["a/x"]),
        ("a.b", ["a.b"], ["axb", "a.bc"]),
        ("ci-*/app", ["ci-1/app", "ci-/app"], ["ci/app", "ci-1/x/app"]),
    ],
)
def test_what_a_pattern_stands_for(pattern: str, fits: list[str], does_not: list[str]) -> None:
    found = rules(f"allow pull * {pattern}")
    for name in fits + does_not:
        assert found.decide(found.caller(NOBODY), "pull", name).allowed == (name in fits), name


@pytest.mark.parametrize(
    ("who", "user", "groups", "fits"),
    [
        ("*", NOBODY, (), True),
        ("*", ALICE, (), True),
        ("anonymous", NOBODY, (), True),
        ("anonymous", ALICE, (), False),
        ("authenticated", NOBODY, (), False),
        ("authenticated", ALICE, (), True),
        ("user:alice", ALICE, (), True),
        ("user:alice", "bob", ("alice",), False),
        ("user:anonymous", NOBODY, (), False),
        ("group:staff", ALICE, ("staff",), True),
        ("group:staff", ALICE, (), False),
        ("group:ops", ALICE, (), True),  # by the section `groups`
        ("group:ops", NOBODY, (), False),
        ("group:staff", NOBODY, ("staff",), False),
    ],
)
def test_whom_a_rule_speaks_of(who: str, user: str, groups: tuple[str, ...], fits: bool) -> None:
    found = rules(f"allow pull {who} **", groups={"ops": ["alice"]})
    assert found.decide(found.caller(user, groups), "pull", "a").allowed == fits


@pytest.mark.parametrize("action", ["pull", "push", "delete", "catalog"])
def test_an_asterisk_is_every_action(action: str) -> None:
    found = rules("allow * * **")
    assert found.decide(found.caller(NOBODY), action, "a").allowed
    assert not rules().decide(found.caller(NOBODY), action, "a").allowed


def test_the_catalog_is_of_all_repositories_and_not_of_some() -> None:
    found = rules("allow * user:alice a/**")
    assert not found.decide(found.caller(ALICE), "catalog", "catalog").allowed


def test_where_no_rule_speaks_it_is_refused() -> None:
    decision = rules("allow pull * a").decide(rules().caller(ALICE), "push", "a")
    assert (decision.allowed, decision.number, decision.text) == (False, 0, "no rule allows it")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("allow", r"rules: must be a list"),
        (["allow"], r"rules\[0\]: must be a mapping"),
        ([{"who": "*"}], r"rules\[0\]: must have either allow or deny"),
        ([{"allow": "pull", "deny": "push", "who": "*"}], r"rules\[0\]: must have either"),
        ([{"allow": "pul", "who": "*"}], r"rules\[0\]\.allow: unknown 'pul'; allowed: \*, catalog"),
        ([{"allow": [], "who": "*"}], r"rules\[0\]\.allow: must be text"),
        ([{"allow": "pull"}], r"rules\[0\]\.who: must be text"),
        ([{"allow": "pull", "who": "alice"}], r"rules\[0\]\.who: unknown 'alice'; allowed: anonymous"),
        ([{"allow": "pull", "who": "user:"}], r"rules\[0\]\.who: unknown"),
        ([{"allow": "pull", "who": "*:x"}], r"rules\[0\]\.who: unknown"),
        ([{"allow": "pull", "who": "*", "on": "a"}], r"rules\[0\]\.on: unknown key; allowed: allow"),
        ([{"allow": "pull", "who": "*", "repositories": "a**"}], r"rules\[0\]\.repositories: 'a\*\*' is no pattern"),
        ([{"allow": "pull", "who": "*", "repositories": "A"}], "is no pattern"),
        ([{"allow": "pull", "who": "*", "repositories": "/a"}], "is no pattern"),
        ([{"allow": "pull", "who": "*", "repositories": "a\n"}], "is no pattern"),
        ([{"allow": "catalog", "who": "*", "repositories": "a/**"}], "the catalog is of all of them"),
        ([{"deny": "pull", "who": "*", "reason": 1}], r"rules\[0\]\.reason: must be text"),
    ],
)
def test_rules_that_are_none_are_refused(section: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Rules(section)


@pytest.mark.parametrize("groups", [["ops"], {"ops": "alice"}, {"ops": [1]}])
def test_groups_that_are_none_are_refused(groups: object) -> None:
    with pytest.raises(ConfigurationError, match="groups"):
        Rules([], groups)


def test_a_pattern_is_not_tried_on_what_is_too_long_for_a_name() -> None:
    """It might take minutes: an expression looks at each way of parting a path between two `**`."""
    found = rules("allow pull * **/**/c", "deny push * **")
    assert found.decide(found.caller(NOBODY), "pull", "a/b/" * 63 + "a/c").allowed
    assert not found.decide(found.caller(NOBODY), "pull", "a/b/" * 64 + "a/c").allowed
    assert found.decide(found.caller(NOBODY), "push", "a/b/" * 64 + "a/c").number == 2

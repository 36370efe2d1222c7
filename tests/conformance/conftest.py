"""Which registries the conformance suite runs against, and the table of what they do."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests import storages
from tests.conformance.target import Client, Repo, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.conftest import Serve

_GUNICORN = ("--worker-class", "gthread", "--threads", "8")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "conformance with the OCI Distribution Specification")
    group.addoption(
        "--registry-url",
        action="append",
        metavar="[NAME=]URL",
        help="run against this registry instead of ours; may be given several times",
    )
    group.addoption("--conformance-report", type=Path, metavar="FILE", help="write a Markdown table of the results")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "endpoint(id, level, since='1.1'): the endpoint's number in the specification, MUST, SHOULD or MAY, "
        "and `main` for what only its main branch has",
    )


def _ours() -> dict[str, tuple[str, str]]:
    """Return the server and the storage driver of each registry that is ours to start, by its name."""
    kinds = storages.kinds()
    servers = {f"{server}-{kind}": (server, kind) for server in ("granian", "gunicorn") for kind in kinds}
    return servers | {"both-ways": ("bothways", kinds[0])}


def _option(config: pytest.Config, name: str) -> object:
    # Where pytest was not told of this directory, it has read the command line before it read this file.
    return config.getoption(name, default=None)


def _names(config: pytest.Config) -> dict[str, str]:
    """Return the URL of each registry to run against by its name, empty for those that are ours to start."""
    given = _option(config, "--registry-url")
    if not given:
        return dict.fromkeys(_ours(), "")
    pairs = (text.partition("=") if "://" not in text.partition("=")[0] else ("", "", text) for text in given)
    return {name or url: url for name, _, url in pairs}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        metafunc.parametrize("target", list(_names(metafunc.config)), indirect=True, scope="session")


@pytest.fixture(scope="session")
def target(
    request: pytest.FixtureRequest, serve_for_session: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Target:
    """A registry that all tests share: none may count on being alone in it."""
    name = request.param
    url = _names(request.config)[name]
    if url:
        return Target(name, Client(url), required=False)
    server, kind = _ours()[name]
    own = storages.section(tmp_path_factory.mktemp("storage"), kind)
    storage = {**own, "delete": {"enabled": True}, "cache": {"blobdescriptor": "inmemory"}}
    running = serve_for_session(
        kind=server,
        arguments=_GUNICORN if server == "gunicorn" else (),
        # Which URLs a layer that lives elsewhere may have is an operator's policy, and not the specification's.
        environment={"REGISTRY_STORAGE": json.dumps(storage), "REGISTRY_VALIDATION_DISABLED": "true"},
    )
    return Target(name, Client(running.url), required=True)


@pytest.fixture
def repo(target: Target) -> Repo:
    """A repository of the test's own."""
    return target.repository()


@pytest.fixture
def other(target: Target) -> Repo:
    """A second repository."""
    return target.repository("other")


# ── the report ────────────────────────────────────────────────────────────────────────────────


class _Row(NamedTuple):
    endpoint: str
    level: str
    since: str
    test: str


_results: dict[_Row, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield
    marker = item.get_closest_marker("endpoint")
    call = getattr(item, "callspec", None)
    # A test is told of once: where its setup ends it, or else after the call.
    told = report.when == "call" or (report.when == "setup" and not report.passed)
    if marker is not None and call is not None and "target" in call.params and told:
        row = _Row(marker.args[0], marker.args[1], marker.kwargs.get("since", "1.1"), item.originalname)
        outcome = {"passed": "pass", "failed": "fail", "skipped": "not there"}[report.outcome]
        _results[row][call.params["target"]][outcome] += 1
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = _option(session.config, "--conformance-report")
    if isinstance(path, Path):
        path.write_text(_table(list(_names(session.config))), encoding="utf-8")


def _table(names: Sequence[str]) -> str:
    lines = [f"| endpoint | level | since | what is asked | {' | '.join(names)} |", "|---" * (4 + len(names)) + "|"]
    for row, cells in sorted(_results.items(), key=lambda item: _order(item[0])):
        marks = " | ".join(_mark(cells[name]) for name in names)
        lines.append(f"| {row.endpoint} | {row.level} | {row.since} | {_words(row)} | {marks} |")
    sums = [sum((cells[name] for cells in _results.values()), Counter[str]()) for name in names]
    told = [", ".join(f"{found[outcome]} {outcome}" for outcome in ("pass", "fail", "not there")) for found in sums]
    lines.append(f"| all | | | | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def _words(row: _Row) -> str:
    numbered = f"{row.endpoint.replace('-', '_')}_" if row.endpoint.startswith("end-") else ""
    return row.test.removeprefix(f"test_{numbered}").replace("_", " ")


def _mark(found: Counter[str]) -> str:
    """Return the outcome of a test, with numbers where it was asked in several ways that ended differently."""
    if len(found) == 1:
        [outcome] = found
        return f"**{outcome}**" if outcome == "fail" else outcome
    return ", ".join(
        f"**{found[each]} {each}**" if each == "fail" else f"{found[each]} {each}" for each in sorted(found)
    )


def _order(row: _Row) -> tuple[int, str, str]:
    digits = "".join(character for character in row.endpoint if character.isdigit())
    return int(digits or 99), row.endpoint, row.test

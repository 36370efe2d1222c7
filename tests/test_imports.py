"""The house has floors: modules import what is below them, and each library is used in one place."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import registry_wsgi
from registry_wsgi import plugins

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(registry_wsgi.__file__).parent

FLOORS = [
    {"_version", "errors"},
    {"descriptor", "reference", "routes", "mediatypes", "keys", "lazy", "logs", "places", "traceparent", "writable"},
    {"context"},
    {"interfaces"},
    {"metrics"},
    {"drivers", "cache", "manifests", "auth", "notifications", "health"},
    {"storage"},
    {"api"},
    {"middleware"},
    {"plugins", "parameters", "config"},
    {"app", "wiring", "inspection", "maintenance", "selftest", "server", "cli", "testing", "__init__", "__main__"},
]
"""From the ground to the roof. A part may import from lower floors, and from its own floor without a circle."""

SIBLINGS = FLOORS[5]
"""Parts of which none imports another: each can be taken, or replaced, alone."""

PLACES = {
    "werkzeug": {"*"},
    "flask": {"api/core.py"},
    "cryptography": {"keys.py", "manifests/keys.py", "auth", "testing"},
    "joserfc": {"auth"},
    "yaml": {"config", "config.py"},
    "cachetools": {"cache", "middleware/caching.py", "storage/presence.py", "storage/recent.py"},
    "bcrypt": {"auth/htpasswd.py", "testing"},
    "re2": {"storage/validation.py"},
    "cloudevents": {"notifications/cloud.py"},
    "click": {"cli", "server.py"},  # flask brings it
    "prometheus_client": {"metrics/exposition.py"},
    "granian": {"server.py"},
    "pytest": {"testing"},
}
"""Where a third-party package may be imported: directories and files of the package."""


def modules() -> list[Path]:
    return [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py"))]


def part_of(module: str) -> str:
    """Return the part of the house that `registry_wsgi.part.…` belongs to."""
    return [*module.split("."), "__init__"][1]


def part_of_file(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of each import, those for type checkers alone included."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} is a relative import, which hides the floor"
            base = node.module or ""
            # `from registry_wsgi import errors` imports the part `errors`.
            yield from ((node.lineno, f"{base}.{alias.name}" if base == PACKAGE.name else base) for alias in node.names)


def internal_imports() -> Iterator[tuple[str, str, str]]:
    """Yield where an import stands, its part and the part it imports; those inside one part are its own affair."""
    for path in modules():
        importer = part_of_file(path)
        for line, name in imported(path):
            if name.split(".")[0] == PACKAGE.name and part_of(name) != importer:
                yield f"{path}:{line}", importer, part_of(name)


def floor(part: str) -> int:
    for number, parts in enumerate(FLOORS):
        if part in parts:
            return number
    raise AssertionError(f"registry_wsgi/{part} has no floor in the house: give it one in FLOORS")


def test_every_part_has_a_floor() -> None:
    for path in modules():
        assert floor(part_of_file(path)) >= 0


def test_imports_point_down() -> None:
    upwards = [
        f"{place} imports {part}" for place, importer, part in internal_imports() if floor(importer) < floor(part)
    ]
    assert upwards == []


def test_siblings_do_not_import_one_another() -> None:
    across = [f"{place} imports {part}" for place, importer, part in internal_imports() if {importer, part} <= SIBLINGS]
    assert across == []


def test_parts_of_one_floor_do_not_import_in_circles() -> None:
    edges = {(importer, part) for _, importer, part in internal_imports()}
    parts = {part for edge in edges for part in edge}
    while removable := {part for part in parts if not any((part, other) in edges for other in parts)}:
        parts -= removable
    assert parts == set()


@pytest.mark.parametrize("path", modules(), ids=str)
def test_third_party_packages_are_imported_in_their_places_only(path: Path) -> None:
    own = {PACKAGE.name, *sys.stdlib_module_names, "_typeshed"}  # _typeshed is the type checkers' own
    for line, name in imported(path):
        top = name.split(".")[0]
        if top in own:
            continue
        assert top in PLACES, f"{path}:{line} imports {top}, which is no dependency"
        assert PLACES[top] & {"*", path.parts[0], path.as_posix()}, f"{path}:{line} is no place for {top}"


def test_importing_the_package_loads_no_third_party_package_but_werkzeug() -> None:
    program = """
import sys
before = set(sys.modules)
import registry_wsgi
print(*{name.split(".")[0] for name in set(sys.modules) - before})
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split()) - sys.stdlib_module_names
    assert loaded <= {PACKAGE.name, "werkzeug", "markupsafe"}  # werkzeug brings markupsafe


def test_serving_imports_nothing_that_is_not_configured() -> None:
    """What a start takes is mostly imports."""
    program = """
import sys
from click.testing import CliRunner
from granian import Granian
from registry_wsgi import server
from registry_wsgi.cli import main
Granian.serve = lambda self: server.app.create_app()
result = CliRunner().invoke(main, ["serve"])
assert result.exit_code == 0, result.output
print(*sys.modules)
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "REGISTRY_STORAGE": "inmemory", "REGISTRY_HTTP_ADDR": "127.0.0.1:0"},
    )
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.split())
    assert "registry_wsgi.middleware.caching" in loaded
    parts = {"logs.mailing", "notifications", "selftest", "testing", "wiring.courier", "wiring.parts"}
    parts |= {"inspection.inventory", "inspection.preflight"}
    layers = {"accel", "access", "audit", "logins", "notifications", "tokens"}
    unwanted = {f"registry_wsgi.{name}" for name in parts} | {f"registry_wsgi.middleware.{name}" for name in layers}
    unwanted |= {f"registry_wsgi.cli.{name}" for name in ("check", "events", "plugins", "self_test")}
    unwanted |= {"bcrypt", "cryptography", "joserfc", "prometheus_client", "smtplib", "sqlite3"}
    assert loaded & unwanted == set()


def test_what_is_installed_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scans = []
    real = plugins.metadata.entry_points
    monkeypatch.setattr(plugins.metadata, "entry_points", lambda: (scans.append(1), real())[1])
    plugins._scanned.cache_clear()
    for _ in range(2):
        plugins.load(plugins.STORAGE_DRIVERS, "inmemory", key="storage")
        plugins.names(plugins.ACCESS_CONTROLLERS)
    assert len(scans) == 1

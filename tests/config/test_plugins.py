from __future__ import annotations

import configparser
import sys
from collections.abc import Mapping  # noqa: TC003 - an annotation that is read
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from registry_wsgi import plugins
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.plugins import CACHE_PROVIDERS, STORAGE_DRIVERS
from tests.packaging import PROJECT

if TYPE_CHECKING:
    from decimal import Decimal
    from importlib import metadata


class Install(Protocol):
    """Make a distribution that can be found, with the source of its one module."""

    def __call__(self, distribution: str, entry_points: str, source: str = "") -> str: ...


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(distribution: str, entry_points: str, source: str = "") -> str:
        module = f"fake_{distribution}"
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{distribution}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(entry_points.replace("MODULE", module))
        monkeypatch.delitem(sys.modules, module, raising=False)
        return module

    return install


def message(call: Any, *arguments: Any, **keywords: Any) -> str:
    with pytest.raises(ConfigurationError) as raised:
        call(*arguments, **keywords)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_name_is_found_and_its_module_imported_only_then(install: Install) -> None:
    module = install("alpha", f"[{STORAGE_DRIVERS}]\nalphafs = MODULE:Driver\n", "class Driver: pass")
    assert "alphafs" in plugins.names(STORAGE_DRIVERS)
    assert "alphafs" not in plugins.names(CACHE_PROVIDERS)
    assert module not in sys.modules
    assert plugins.load(STORAGE_DRIVERS, "alphafs", key="storage").__name__ == "Driver"
    assert module in sys.modules


def test_an_unknown_name_is_told_with_the_key_and_the_known_ones(install: Install) -> None:
    install("alpha", "[test.group]\nbeta = MODULE:x\nalpha = MODULE:x\n")
    text = message(plugins.load, "test.group", "alfa", key="storage.alfa")
    assert text == "storage.alfa: unknown name 'alfa'; did you mean alpha? allowed: alpha, beta"
    text = message(plugins.load, "test.group", "redis", key="storage.cache.blobdescriptor")
    assert text == "storage.cache.blobdescriptor: unknown name 'redis'; allowed: alpha, beta"
    assert message(plugins.load, "test.none", "x", key="k") == "k: unknown name 'x'; allowed: none"


def test_a_plugin_of_the_project_that_is_not_installed_is_told_with_its_distribution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = plugins.declared

    def without_ours(group: str, name: str | None = None) -> list[metadata.EntryPoint]:
        return [entry for entry in found(group, name) if "registry_wsgi_" not in entry.value]

    monkeypatch.setattr(plugins, "declared", without_ours)
    text = message(plugins.load, STORAGE_DRIVERS, "s3", key="storage.s3")
    installed = "which is not installed; allowed: filesystem, inmemory"
    assert text == f"storage.s3: 's3' is a plugin of registry-wsgi-s3, {installed}"
    text = message(plugins.load, CACHE_PROVIDERS, "redis", key="storage.cache.blobdescriptor")
    assert "'redis' is a plugin of registry-wsgi-redis, which is not installed; allowed: inmemory" in text


def test_the_plugins_of_the_project_are_known_by_their_distributions() -> None:
    declared = {}
    for file in (PROJECT / "plugins").glob("*/setup.cfg"):
        setup = configparser.ConfigParser(interpolation=None)
        setup.read(file)
        for group, entries in setup["options.entry_points"].items():
            for entry in entries.strip().splitlines():
                declared[group, entry.partition("=")[0].strip()] = setup["metadata"]["name"]
    assert declared == plugins.OF_THE_PROJECT


def test_a_layer_that_makes_a_registry_fail_is_offered_to_nobody_who_did_not_mean_one() -> None:
    text = message(plugins.load, plugins.MIDDLEWARE, "cache-digest", key="k")
    assert "fault-" not in text
    assert "quirk-" not in text
    assert "accel" in text
    assert "did you mean fault-digest?" in message(plugins.load, plugins.MIDDLEWARE, "fault-digests", key="k")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import absent_module", "ModuleNotFoundError: No module named 'absent_module'"),
        ("", "AttributeError: module 'fake_alpha' has no attribute 'Driver'"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("def f(:", "SyntaxError: "),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_told_with_its_distribution_and_why(
    install: Install, source: str, why: str
) -> None:
    install("alpha", "[test.group]\nalpha = MODULE:Driver\n", source)
    text = message(plugins.load, "test.group", "alpha", key="storage.alpha")
    assert text.startswith(f"storage.alpha: 'alpha' of alpha 1.5 cannot be imported: {why}")


def test_extras_that_bring_a_missing_module_are_told(install: Install, tmp_path: Path) -> None:
    install("alpha", "[test.group]\nalpha = MODULE:Driver\n", "import absent_module.part")
    requirements = [
        "absent_module-more>=1; extra == 'more'",
        "absent_module>=4; extra == 'users'",
        'absent_module>=4; (python_version > "3") and extra == "all"',
        "absent_module>=4",
    ]
    with (tmp_path / "alpha-1.5.dist-info" / "METADATA").open("a") as file:
        file.writelines(f"Requires-Dist: {each}\n" for each in requirements)
    text = message(plugins.load, "test.group", "alpha", key="storage.alpha")
    assert text.endswith("No module named 'absent_module'; extras with it: users, all")


def test_what_cannot_be_called_is_no_factory(install: Install) -> None:
    install("alpha", "[test.group]\nalpha = MODULE:Driver\n", "Driver = 5")
    assert "'alpha' of alpha 1.5 is no factory" in message(plugins.load, "test.group", "alpha", key="k")


def test_no_distribution_takes_the_place_of_another(install: Install) -> None:
    for distribution in ("beta", "alpha"):
        install(distribution, "[test.group]\nalpha = MODULE:Driver\n", "class Driver: pass")
    text = message(plugins.load, "test.group", "alpha", key="k")
    assert text == "k: 'alpha' is declared by more than one installed distribution: alpha 1.5, beta 1.5"


def test_the_keys_of_a_section_are_the_keywords_of_the_factory(install: Install) -> None:
    install("alpha", "[test.group]\nalpha = MODULE:make\n", "def make(*, a, b=2): return (a, b)")
    assert plugins.build("test.group", "alpha", {"a": 1}, key="k") == (1, 2)
    assert plugins.build("test.group", "alpha", {"b": 3, "a": 1}, key="k") == (1, 3)


def test_what_is_passed_in_code_is_no_key(install: Install) -> None:
    install("alpha", "[test.group]\nalpha = MODULE:make\n", "def make(app, *, a=1): return (app, a)")
    assert plugins.build("test.group", "alpha", {"a": 2}, key="k", arguments=["app"]) == ("app", 2)
    text = message(plugins.build, "test.group", "alpha", {"app": 2}, key="k", arguments=["app"])
    assert text == "k.app: unknown key; allowed: a"


class Driver:
    def __init__(
        self,
        *,
        bucket: str,
        region: str | None = None,
        chunksize: int = 5,
        ratio: float = 0.5,
        secure: bool = True,
        root: str | Path = "",
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.bucket = bucket


def anything(**options: object) -> object:
    return options


def unresolved(*, amount: Decimal, name: str | None = "") -> object:
    return amount, name


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"bucket": "b", "chunksiz": 5}, "storage.s3.chunksiz: unknown key; did you mean chunksize? allowed: bucket, "),
        ({"bucket": "b", "self": 5}, "storage.s3.self: unknown key;"),
        (
            {},
            "storage.s3.bucket: required, but not given; allowed: bucket, chunksize, ratio, region, root, secure, tags",
        ),
        ({"bucket": 5}, "storage.s3.bucket: must be text, not 5"),
        ({"bucket": None}, "storage.s3.bucket: must be text, not a NoneType"),
        ({"bucket": ["b"]}, "storage.s3.bucket: must be text, not a list"),
        ({"bucket": "b", "region": True}, "storage.s3.region: must be text or nothing, not True"),
        ({"bucket": "b", "chunksize": True}, "storage.s3.chunksize: must be an integer, not True"),
        ({"bucket": "b", "chunksize": 1.5}, "storage.s3.chunksize: must be an integer, not 1.5"),
        ({"bucket": "b", "secure": "yes"}, "storage.s3.secure: must be true or false, not 'yes'"),
        ({"bucket": "b", "secure": 1}, "storage.s3.secure: must be true or false, not 1"),
    ],
)
def test_a_section_that_does_not_fit_the_factory_is_one_line(parameters: dict[str, object], text: str) -> None:
    assert message(plugins.check, Driver, parameters, key="storage.s3").startswith(text)


def test_all_that_is_wrong_with_a_section_is_found_and_the_first_is_raised() -> None:
    with pytest.raises(ConfigurationError) as raised:
        plugins.check(Driver, {"regio": "a", "chunksize": "b"}, key="storage.s3")
    found = [str(each).partition(";")[0] for each in (raised.value, *raised.value.others)]
    assert found == [
        "storage.s3.regio: unknown key",
        "storage.s3.chunksize: must be an integer, not 'b'",
        "storage.s3.bucket: required, but not given",
    ]


def test_a_section_that_fits_passes() -> None:
    plugins.check(Driver, {"bucket": "b", "region": None, "ratio": 1, "root": 5, "tags": 5}, key="k")
    plugins.check(anything, {"whatever": 1}, key="k")


def test_an_annotation_that_cannot_be_resolved_leaves_the_other_checks() -> None:
    plugins.check(unresolved, {"amount": "five"}, key="k")
    plugins.check(unresolved, {"amount": "five", "name": None}, key="k")
    assert (
        message(plugins.check, unresolved, {"amount": 1, "name": 5}, key="k")
        == "k.name: must be text or nothing, not 5"
    )
    assert message(plugins.check, unresolved, {}, key="k").startswith("k.amount: required")
    assert message(plugins.check, unresolved, {"amount": 1, "nam": ""}, key="k").startswith("k.nam: unknown key")


def test_a_factory_without_a_signature_is_told() -> None:
    assert message(plugins.check, type, {}, key="k").startswith("k: the keys it takes cannot be told: ")


def test_a_factory_without_a_signature_cannot_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "load", lambda group, name, *, key: type)
    text = message(plugins.build, "test.group", "alpha", {"a": 1}, key="k")
    assert text.startswith("k: the keys it takes cannot be told: ")


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("raise ValueError('a must be\\neven')", "storage.alpha: a must be even"),
        ("raise ConfigurationError('a must be even')", "storage.alpha: a must be even"),
        ("raise DriverError('alpha', 'gone')", "storage.alpha: alpha: gone"),
        ("open('/nowhere/x')", "storage.alpha: FileNotFoundError: "),
        ("raise ValueError", "storage.alpha: ValueError: "),
    ],
)
def test_what_a_factory_refuses_is_told_with_the_key(install: Install, statement: str, text: str) -> None:
    source = f"from registry_wsgi.errors import *\ndef make(*, a=1):\n    {statement}\n"
    install("alpha", "[test.group]\nalpha = MODULE:make\n", source)
    assert message(plugins.build, "test.group", "alpha", {}, key="storage.alpha").startswith(text)


def test_the_built_in_drivers_take_the_keys_of_registry_2() -> None:
    from registry_wsgi.drivers.filesystem import FilesystemDriver
    from registry_wsgi.drivers.inmemory import InMemoryDriver

    plugins.check(FilesystemDriver, {"rootdirectory": "/a", "maxthreads": 100}, key="storage.filesystem")
    plugins.check(FilesystemDriver, {"rootdirectory": Path("/a")}, key="storage.filesystem")
    plugins.check(InMemoryDriver, {}, key="storage.inmemory")
    text = message(plugins.check, FilesystemDriver, {"rootdir": "/a"}, key="storage.filesystem")
    assert (
        text
        == "storage.filesystem.rootdir: unknown key; did you mean rootdirectory? allowed: maxthreads, rootdirectory"
    )
    text = message(plugins.check, FilesystemDriver, {"rootdirectory": 5}, key="storage.filesystem")
    assert text == "storage.filesystem.rootdirectory: must be text or a path, not 5"

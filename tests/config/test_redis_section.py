"""The section `redis`: what the cache of that name is built with."""

from __future__ import annotations

from typing import Any

import pytest

from registry_wsgi.config import load
from registry_wsgi.errors import ConfigurationError

CACHED = {"storage": {"inmemory": {}, "cache": {"blobdescriptor": "redis"}}}
ADDRESS = {"addr": "localhost:6379"}


def parameters(section: dict[str, Any], environ: dict[str, str] | None = None) -> Any:
    config = load(CACHED | {"redis": section}, environ)
    assert config.storage.cache
    return config.storage.cache.parameters


@pytest.mark.parametrize("section", [None, {}, {"addr": ""}, {"addr": None}, {"addrs": []}, {"password": "x"}])
def test_the_cache_needs_an_address(section: dict[str, Any] | None) -> None:
    with pytest.raises(ConfigurationError, match=r"^redis\.addr: required for the cache redis, but not"):
        load(CACHED | {"redis": section})


def test_without_a_section_the_missing_address_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^redis\.addr: required"):
        load(CACHED)


def test_what_is_given_is_handed_on_and_nothing_else() -> None:
    given = {
        "addrs": ["cache.example:6379"],
        "username": "registry",
        "password": "0123",
        "mastername": "cache",
        "sentinelusername": "sentinel",
        "sentinelpassword": "4567",
        "db": 3,
        "dialtimeout": "10ms",
        "readtimeout": None,
        "pool": {"maxidle": 0, "maxactive": 8},
        "tls": {"rootcas": ["/ca.pem"], "certificate": ""},
    }
    assert parameters(given) == {
        "addrs": ["cache.example:6379"],
        "username": "registry",
        "password": "0123",
        "mastername": "cache",
        "sentinelusername": "sentinel",
        "sentinelpassword": "4567",
        "db": 3,
        "dialtimeout": 0.01,
        "pool": {"maxactive": 8},
        "tls": {"rootcas": ["/ca.pem"]},
    }


def test_a_key_without_effect_is_not_handed_on() -> None:
    config = load(CACHED | {"redis": ADDRESS | {"maxretries": 5}})
    assert config.storage.cache
    assert config.storage.cache.parameters == ADDRESS
    assert config.warnings == ("redis.maxretries is not supported yet and has no effect",)


def test_variables_set_what_the_file_leaves_out() -> None:
    environ = {"REGISTRY_REDIS_ADDR": "redis:6379", "REGISTRY_REDIS_TLS_ROOTCAS_0": "/ca.pem"}
    assert parameters({}, environ) == {"addr": "redis:6379", "tls": {"rootcas": ["/ca.pem"]}}


def test_variables_that_kubernetes_makes_of_a_service_are_no_settings() -> None:
    environ = {"REGISTRY_REDIS_PORT": "tcp://10.0.0.1:6379", "REGISTRY_REDIS_SERVICE_HOST": "10.0.0.1"}
    assert parameters(ADDRESS, environ) == ADDRESS


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("db", "one", "redis.db: must be an integer, zero or more, not one (text)"),
        ("db", -1, "redis.db: must be an integer, zero or more, not -1 (an integer)"),
        ("dialtimeout", "soon", "redis.dialtimeout: must be a duration, zero or more"),
        ("addrs", "a:1", "redis.addrs: must be a list, not a:1 (text)"),
        ("addrs", [""], "redis.addrs[0]: must be text that is not empty"),
        ("addrs", [None], "redis.addrs[0]: must be text that is not empty"),
        ("pool", 16, "redis.pool: must be a mapping, not 16 (an integer)"),
        ("tls", {"rootcas": [1]}, "redis.tls.rootcas[0]: must be text that is not empty, not 1 (an integer)"),
        ("addrss", [], "redis.addrss: unknown key; did you mean addrs?"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_key(key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(CACHED | {"redis": ADDRESS | {key: value}})
    assert message in str(raised.value)


@pytest.mark.parametrize("key", ["password", "sentinelpassword"])
@pytest.mark.parametrize("password", [123456, 0.5, True])
def test_a_password_that_is_no_text_is_refused_and_not_shown(key: str, password: object) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(CACHED | {"redis": ADDRESS | {key: password}})
    assert str(raised.value).startswith(f"redis.{key}: must be text, in quotes if it looks like a number, not a")
    assert str(password) not in str(raised.value)


def test_a_section_that_nothing_uses_is_a_warning() -> None:
    config = load({"storage": "inmemory", "redis": ADDRESS})
    assert config.storage.cache is None
    assert config.warnings == ("redis has an effect only with the cache redis",)


@pytest.mark.parametrize("key", ["sentinelusername", "sentinelpassword"])
def test_a_login_for_sentinels_that_are_not_asked_is_a_warning(key: str) -> None:
    config = load(CACHED | {"redis": ADDRESS | {key: "x"}})
    assert config.warnings == (f"redis.{key} has an effect only with redis.mastername",)

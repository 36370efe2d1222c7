"""Each supported key: what it takes, what it means, and what is said of anything else."""

from __future__ import annotations

from typing import Any

import pytest

from registry_wsgi.config import TLS, Auth, Configuration, Layer, load
from registry_wsgi.config.kinds import DURATION
from registry_wsgi.config.schema import KEYS, State
from registry_wsgi.errors import ConfigurationError


def with_key(path: str, value: object) -> dict[str, Any]:
    """Return a configuration with one more key, by its path."""
    document: dict[str, Any] = {"storage": {"inmemory": {}}}
    section = document
    *sections, last = path.split(".")
    for name in sections:
        section = section.setdefault(name, {})
    section[last] = value
    return document


def read(config: Configuration, attributes: str) -> object:
    value: object = config
    for attribute in attributes.split("."):
        value = getattr(value, attribute)
    return value


@pytest.mark.parametrize(
    ("path", "value", "attributes", "expected"),
    [
        ("log.level", None, "log.level", "info"),
        ("log.level", "", "log.level", "info"),
        ("log.level", "DEBUG", "log.level", "debug"),
        ("log.level", "warn", "log.level", "warn"),
        ("log.formatter", "json", "log.formatter", "json"),
        ("log.formatter", "", "log.formatter", "text"),
        ("log.fields", {"service": "registry", "n": 1}, "log.fields", {"service": "registry", "n": 1}),
        ("log.fields", None, "log.fields", {}),
        ("log.accesslog.disabled", True, "log.accesslog_disabled", True),
        ("log.accesslog", None, "log.accesslog_disabled", False),
        ("cache.responses.enabled", False, "responses.enabled", False),
        ("cache.responses", None, "responses.enabled", True),
        ("cache.responses.maxbytes", 2**20, "responses.maxbytes", 2**20),
        ("cache.responses.ttl", "1m", "responses.ttl", 60.0),
        ("storage.delete.enabled", True, "storage.delete_enabled", True),
        ("storage.delete", {}, "storage.delete_enabled", False),
        ("storage.maintenance.readonly.enabled", True, "storage.readonly_enabled", True),
        ("storage.maintenance.readonly.enabled", False, "storage.readonly_enabled", False),
        ("storage.maintenance.readonly", None, "storage.readonly_enabled", False),
        ("http.addr", ":5000", "http.interface", "0.0.0.0"),
        ("http.addr", "[::1]:5001", "http.interface", "::1"),
        ("http.addr", "localhost:443", "http.interface", "localhost"),
        ("http.addr", "localhost:443", "http.port", 443),
        ("http.addr", None, "http.addr", "127.0.0.1:5000"),
        ("http.net", "tcp", "http.addr", "127.0.0.1:5000"),
        ("http.prefix", "/registry/", "http.prefix", "/registry/"),
        ("http.prefix", "/", "http.prefix", ""),
        ("http.host", "https://registry.example.com:8443/", "http.host", "https://registry.example.com:8443/"),
        ("http.host", "https://[::1]:5000", "http.host", "https://[::1]:5000"),
        ("http.relativeurls", None, "http.relativeurls", True),
        ("http.relativeurls", False, "http.relativeurls", False),
        ("http.trustproxyheaders", None, "http.trust_proxy_headers", False),
        ("http.trustproxyheaders", True, "http.trust_proxy_headers", True),
        ("http.headers", {"X-A": ["b", "c"]}, "http.headers", {"X-A": ("b", "c")}),
        ("http.headers", {"X-A": [True, 600]}, "http.headers", {"X-A": ("true", "600")}),
        ("http.draintimeout", "1m30s", "http.draintimeout", 90.0),
        ("http.draintimeout", 2_000_000_000, "http.draintimeout", 2.0),
        ("http.secret", 12345, "http.tls", None),
        ("http.tls", {"certificate": "/c.pem", "key": "/k.pem"}, "http.tls", TLS("/c.pem", "/k.pem", "", "tls1.2")),
        (
            "http.tls",
            {"certificate": "/c.pem", "key": "/k.pem", "clientcas": ["/ca.pem"], "minimumtls": "tls1.3"},
            "http.tls",
            TLS("/c.pem", "/k.pem", "/ca.pem", "tls1.3"),
        ),
        ("auth", "none", "auth", None),
        ("auth", {"None": {}}, "auth", None),
        ("auth", {"htpasswd": {"realm": "r", "path": "/p"}}, "auth", Auth("htpasswd", {"realm": "r", "path": "/p"})),
        ("http", {"net": "unix", "addr": "/run/r.sock"}, "http.net", "unix"),
        ("storage.redirect.disable", True, "storage.redirect_disable", True),
        ("validation.enabled", False, "validation.disabled", True),
        ("validation.manifests.urls", {"allow": ["a"], "deny": ["b"]}, "validation.allow_urls", ("a",)),
        (
            "validation.manifests.indexes",
            {"platforms": "list", "platformlist": [{"architecture": "amd64", "os": "linux"}]},
            "validation.platform_list",
            (("amd64", "linux"),),
        ),
        (
            "middleware.storage",
            [{"name": "a", "disabled": True}, {"name": "redirect", "options": {"baseurl": "http://x"}}],
            "storage.middleware",
            (Layer("redirect", {"baseurl": "http://x"}, key="middleware.storage[1]"),),
        ),
        ("http.tls", {"certificate": "", "key": ""}, "http.tls", None),
        ("http.tls.minimumtls", "tls1.2", "http.tls", None),
        ("middleware.http", None, "middleware", ()),
        ("middleware.http", [{"name": "gzip"}], "middleware", (Layer("gzip", {}, "middleware.http[0]"),)),
        (
            "middleware.http",
            [{"name": "a", "disabled": True}, {"name": "b", "options": {"c": 1}}],
            "middleware",
            (Layer("b", {"c": 1}, "middleware.http[1]"),),
        ),
        ("catalog.maxentries", None, "catalog_maxentries", 1000),
        ("catalog.maxentries", 0, "catalog_maxentries", 1000),
        ("catalog.maxentries", -1, "catalog_maxentries", 1000),
        ("catalog.maxentries", 5, "catalog_maxentries", 5),
        ("tags.maxtags", 0, "tags_maxtags", 1000),
        ("tags.maxtags", 7, "tags_maxtags", 7),
    ],
)
def test_a_value_that_is_allowed_is_taken_without_a_word(
    path: str, value: object, attributes: str, expected: object
) -> None:
    config = load(with_key(path, value))
    assert read(config, attributes) == expected
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("log.level", "loud", "log.level: must be one of error, warn, info, debug, not loud (text)"),
        ("log.level", 3, "log.level: must be one of error, warn, info, debug, not 3 (an integer)"),
        ("log.formatter", "xml", "log.formatter: must be one of text, json, logstash, not xml (text)"),
        ("log.fields", "service", "log.fields: must be a mapping with keys in text, not service (text)"),
        ("log.fields", {5: 6}, "log.fields: the key 5 is not text; must be a mapping with keys in text"),
        ("log.accesslog", True, "log.accesslog: must be a mapping, not True (a boolean)"),
        ("cache.responses.maxbytes", 1000, "cache.responses.maxbytes: must be 1048576 or more, not 1000; cache.resp"),
        ("loglevel", "trace", "loglevel: must be one of error, warn, info, debug, not trace (text)"),
        ("storage.inmemory", 5, "storage.inmemory: must be a mapping with keys in text, not 5 (an integer)"),
        ("storage.cache.blobdescriptor", True, "storage.cache.blobdescriptor: must be a name in text, or empty"),
        ("storage.cache.blobdescriptorsize", "9", "storage.cache.blobdescriptorsize: must be an integer, not 9 (text)"),
        ("storage.cache", "inmemory", "storage.cache: must be a mapping, not inmemory (text)"),
        ("storage.delete.enabled", "true", "storage.delete.enabled: must be true or false, not true (text)"),
        ("storage.delete.enabled", 1, "storage.delete.enabled: must be true or false, not 1 (an integer)"),
        ("storage.delete.enabled", "", "storage.delete.enabled: must be true or false"),
        ("storage.delete", True, "storage.delete: must be a mapping, not True (a boolean)"),
        ("storage.maintenance.readonly", {}, "storage.maintenance.readonly.enabled: required, but not given"),
        ("storage.maintenance.readonly", True, "storage.maintenance.readonly: must be a mapping"),
        ("storage.maintenance.readonly.enabled", "no", "must be true or false, not no (text)"),
        ("http", [], "http: must be a mapping, not a list"),
        ("http.addr", "5000", "http.addr: must be an address such as 127.0.0.1:5000"),
        ("http.addr", 5000, "http.addr: must be an address such as"),
        ("http.addr", "localhost:http", "http.addr: must be an address such as"),
        ("http.addr", ":65536", "http.addr: must be an address such as"),
        ("http.addr", "::1:5000", "http.addr: must be an address such as"),
        ("http.addr", "[zz]:5000", "http.addr: must be an address such as"),
        ("http.addr", ":٥", "http.addr: must be an address such as"),
        ("http.addr", "a b:1", "http.addr: must be an address such as"),
        ("auth", {"htpasswd": {}, "token": {}}, "auth: exactly one controller is allowed, not htpasswd, token"),
        ("auth", {"none": {}, "token": {}}, "auth: exactly one controller is allowed, not none, token"),
        ("auth", False, "auth: must be a mapping, not False (a boolean)"),
        ("auth", ["token"], "auth: must be a mapping, not a list"),
        ("http.net", "udp", "http.net: must be one of tcp, unix, not udp (text)"),
        ("http.net", "unix", "http.addr: must be the path of a socket where http.net is unix"),
        (
            "http.addr",
            "/run/registry.sock",
            "http.addr: must be a host and port such as 127.0.0.1:5000 where http.net is tcp",
        ),
        ("http.tls.clientcas", ["/ca.pem"], "http.tls.clientcas: needs http.tls.certificate and http.tls.key"),
        ("http.prefix", "registry", "http.prefix: must be a path that begins and ends with a slash"),
        ("http.prefix", "/registry", "http.prefix: must be a path that begins and ends with a slash"),
        ("http.host", "registry.example.com", "http.host: must be an absolute URL such as"),
        ("http.host", "ftp://registry.example.com", "http.host: must be an absolute URL such as"),
        ("http.host", "https://", "http.host: must be an absolute URL such as"),
        ("http.host", "https://a:b", "http.host: must be an absolute URL such as"),
        ("http.host", "https://[a", "http.host: must be an absolute URL such as"),
        ("http.host", "https://a\r\nX: y", "http.host: must be an absolute URL such as"),
        ("http.relativeurls", "yes please", "http.relativeurls: must be true or false, not yes please (text)"),
        ("http.headers", {"X-A": "b"}, "http.headers: X-A has no list; must be a mapping of header names"),
        ("http.headers", {"X-A": ["b\r\nX-C: d"]}, "http.headers: X-A has a value that no header can have"),
        ("http.headers", {"X-A": [[]]}, "http.headers: X-A has a value that no header can have"),
        ("http.headers", {"X A": ["b"]}, "http.headers: 'X A' is no header name"),
        (
            "http.headers",
            {"content-Length": ["5"]},
            "content-Length is not the same for every message, and cannot be set",
        ),
        ("http.headers", {"Connection": ["close"]}, "Connection is not the same for every message, and cannot be set"),
        ("http.headers", ["X-A"], "http.headers: must be a mapping of header names"),
        ("http.draintimeout", "soon", "http.draintimeout: must be a duration, zero or more, such as 30s or 1h30m"),
        ("http.draintimeout", "-1s", "http.draintimeout: must be a duration"),
        ("http.draintimeout", 1.5, "http.draintimeout: must be a duration"),
        ("http.tls.certificate", "/c.pem", "http.tls.key: required, but not given"),
        ("http.tls.key", "/k.pem", "http.tls.certificate: required, but not given"),
        ("http.tls.key", 5, "http.tls.key: must be text, not 5 (an integer)"),
        ("middleware.http", {"name": "x"}, "middleware.http: must be a list, not a mapping"),
        ("middleware.http", ["x"], "middleware.http[0]: must be a mapping, not x (text)"),
        ("middleware.http", [None], "middleware.http[0].name: required, but not given"),
        ("middleware.http", [{"name": "a"}, {"options": {}}], "middleware.http[1].name: required, but not given"),
        ("middleware.http", [{"name": "a", "options": []}], "middleware.http[0].options: must be a mapping"),
        ("catalog.maxentries", "many", "catalog.maxentries: must be an integer, not many (text)"),
        ("catalog.maxentries", True, "catalog.maxentries: must be an integer, not True (a boolean)"),
        ("catalog.maxentries", 2**70, "catalog.maxentries: must be an integer"),
        ("tags.maxtags", -1, "tags.maxtags: must be an integer, zero or more, not -1 (an integer)"),
    ],
)
def test_another_value_is_one_line_with_the_key_and_what_is_allowed(path: str, value: object, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(with_key(path, value))
    assert message in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("htpp", "htpp: unknown key; did you mean http? allowed: auth, cache, catalog,"),
        ("http.adr", "http.adr: unknown key; did you mean addr? allowed: addr, debug,"),
        ("http.Addr", "http.Addr: unknown key; did you mean addr?"),
        ("log.levl", "log.levl: unknown key; did you mean level? allowed: accesslog, audit, fields, formatter, hooks"),
        ("storage.delete.enable", "storage.delete.enable: unknown key; did you mean enabled? allowed: enabled"),
        ("storage.cache.zzz", "storage.cache.zzz: unknown key; allowed: blobdescriptor, blobdescriptorsize, layerinfo"),
        ("redis.adr", "redis.adr: unknown key; did you mean addr"),
        ("health.storagedriver.zzz", "health.storagedriver.zzz: unknown key; allowed: enabled, interval, threshold"),
        ("http.a\nb", "http.'a\\nb': unknown key"),
        ("z" * 500, f"{'z' * 57}...: unknown key"),
    ],
)
def test_an_unknown_key_is_told_with_its_neighbours(path: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(with_key(path, "x"))
    assert message in str(raised.value)
    assert str(raised.value).isprintable()


def test_an_unknown_key_inside_a_list_is_told_with_its_number() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^notifications\.endpoints\[1\]\.ur: unknown key; did you mean url\?"
    ):
        load(with_key("notifications.endpoints", [{"disabled": True}, {"ur": "x", "disabled": True}]))


@pytest.mark.parametrize("key", [5, None, True, 0.1])
def test_a_key_that_is_not_text_is_unknown(key: object) -> None:
    with pytest.raises(ConfigurationError, match=f"{key}: unknown key"):
        load({"storage": "inmemory", "http": {key: 1}})


def test_loglevel_is_deprecated_and_counts_only_without_log_level() -> None:
    alone = load(with_key("loglevel", "debug"))
    assert alone.log.level == "debug"
    assert alone.warnings == ("loglevel is deprecated: write log.level",)
    assert load(with_key("loglevel", "debug") | {"log": {"level": "error"}}).log.level == "error"
    assert load(with_key("loglevel", "debug") | {"log": {"level": ""}}).log.level == "debug"


def test_a_default_is_no_value_that_two_configurations_share() -> None:
    first, second = load({"storage": "inmemory"}), load({"storage": "inmemory"})
    assert first.http.headers is not second.http.headers
    assert first.log.fields is not second.log.fields


def test_every_supported_key_of_the_table_takes_its_own_default() -> None:
    for key in KEYS:
        alone = "[]" not in key.path and "<" not in key.path
        # The default of a duration is in seconds, as it is used, not as it is written.
        if key.state is State.SUPPORTED and alone and key.default is not None and key.kind is not DURATION:
            load(with_key(key.path, key.default))

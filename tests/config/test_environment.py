from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi.config import Auth, Cache, Layer, load
from registry_wsgi.config.environment import override
from registry_wsgi.config.findings import Findings
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

HOOK = {"options": {"to": ["a@b.example"]}}


def overridden(document: dict[str, Any], environ: dict[str, str]) -> list[str]:
    """Apply the variables to the document and return the warnings. Raises the first problem."""
    findings = Findings()
    override(document, environ, findings)
    findings.raise_first()
    return findings.warnings


@pytest.mark.parametrize(
    ("document", "environ", "expected"),
    [
        ({}, {"REGISTRY_HTTP_ADDR": ":8080"}, {"http": {"addr": ":8080"}}),
        ({"http": None}, {"REGISTRY_HTTP_ADDR": ":8080"}, {"http": {"addr": ":8080"}}),
        ({"http": {"addr": ":1", "net": "tcp"}}, {"REGISTRY_HTTP_ADDR": ":2"}, {"http": {"addr": ":2", "net": "tcp"}}),
        ({"http": {"addr": ":1", "net": "tcp"}}, {"REGISTRY_HTTP": "{addr: ':2'}"}, {"http": {"addr": ":2"}}),
        ({}, {"REGISTRY_STORAGE_DELETE_ENABLED": "true"}, {"storage": {"delete": {"enabled": True}}}),
        ({}, {"REGISTRY_STORAGE": "inmemory"}, {"storage": "inmemory"}),
        # The bare name becomes a section where a deeper variable follows, whatever the order they are given in.
        (
            {},
            {"REGISTRY_AUTH_HTPASSWD_REALM": "r", "REGISTRY_AUTH": "htpasswd", "REGISTRY_AUTH_HTPASSWD_PATH": "/p"},
            {"auth": {"htpasswd": {"realm": "r", "path": "/p"}}},
        ),
        (
            {"storage": {"filesystem": {"rootdirectory": "/a"}}},
            {"REGISTRY_STORAGE_S3_REGION": "eu", "REGISTRY_STORAGE": "s3", "REGISTRY_STORAGE_S3_BUCKET": "b"},
            {"storage": {"s3": {"region": "eu", "bucket": "b"}}},
        ),
        (
            {"storage": "filesystem"},
            {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/a"},
            {"storage": {"filesystem": {"rootdirectory": "/a"}}},
        ),
        (
            {"storage": {"filesystem": None}},
            {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/a"},
            {"storage": {"filesystem": {"rootdirectory": "/a"}}},
        ),
        # Deep inside what came from the file, where registry:2 itself gives up.
        (
            {"storage": {"maintenance": {"uploadpurging": {"enabled": True, "age": "1h"}}}},
            {"REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_ENABLED": "false"},
            {"storage": {"maintenance": {"uploadpurging": {"enabled": False, "age": "1h"}}}},
        ),
        ({}, {"REGISTRY_LOG_FIELDS_SERVICE": "r"}, {"log": {"fields": {"service": "r"}}}),
        (
            {"log": {"fields": {"Service": "a"}}},
            {"REGISTRY_LOG_FIELDS_SERVICE": "r"},
            {"log": {"fields": {"Service": "r"}}},
        ),
        ({}, {"REGISTRY_STORAGE_S3_A_B_C": "1"}, {"storage": {"s3": {"a": {"b": {"c": 1}}}}}),
        # Both the key and registry:2's name of the field.
        (
            {},
            {"REGISTRY_NOTIFICATIONS_EVENTCONFIG_INCLUDEREFERENCES": "true"},
            {"notifications": {"events": {"includereferences": True}}},
        ),
        (
            {},
            {"REGISTRY_NOTIFICATIONS_EVENTS_INCLUDEREFERENCES": "true"},
            {"notifications": {"events": {"includereferences": True}}},
        ),
        (
            {},
            {"REGISTRY_COMPATIBILITY_SCHEMA1_TRUSTKEY": "/k"},
            {"compatibility": {"schema1": {"signingkeyfile": "/k"}}},
        ),
        ({}, {"REGISTRY_HEALTH_FILECHECKERS": "[{file: /a}]"}, {"health": {"file": [{"file": "/a"}]}}),
        ({}, {"REGISTRY_HEALTH_HTTPCHECKERS_0_URI": "u"}, {"health": {"http": [{"uri": "u"}]}}),
        ({}, {"REGISTRY_HEALTH_TCPCHECKERS_0_ADDR": "a:1"}, {"health": {"tcp": [{"addr": "a:1"}]}}),
        ({}, {"REGISTRY_LOG_HOOKS_0_MAILOPTIONS_TO": "[a@b.example]"}, {"log": {"hooks": [HOOK]}}),
        ({}, {"REGISTRY_LOG_HOOKS_0_OPTIONS_TO": "[a@b.example]"}, {"log": {"hooks": [HOOK]}}),
        # Elements of lists by their number, the tenth after the ninth.
        (
            {"notifications": {"endpoints": [{"name": "a"}]}},
            {"REGISTRY_NOTIFICATIONS_ENDPOINTS_1_NAME": "c", "REGISTRY_NOTIFICATIONS_ENDPOINTS_0_NAME": "b"},
            {"notifications": {"endpoints": [{"name": "b"}, {"name": "c"}]}},
        ),
        (
            {},
            {f"REGISTRY_MIDDLEWARE_HTTP_{number}_NAME": f"l{number}" for number in range(12)},
            {"middleware": {"http": [{"name": f"l{number}"} for number in range(12)]}},
        ),
        (
            {"http": {"tls": {"clientcas": []}}},
            {"REGISTRY_HTTP_TLS_CLIENTCAS_0": "/c"},
            {"http": {"tls": {"clientcas": ["/c"]}}},
        ),
        ({}, {"REGISTRY_HTTP_SECRET": ""}, {"http": {"secret": None}}),
        ({}, {"REGISTRY_CONFIGURATION_PATH": "/x", "PATH": "/bin", "registry_http_addr": ":1"}, {}),
    ],
)
def test_variables_set_keys(document: dict[str, Any], environ: dict[str, str], expected: dict[str, Any]) -> None:
    assert overridden(document, environ) == []
    assert document == expected


@pytest.mark.parametrize(
    "name",
    [
        "REGISTRY_PORT",
        "REGISTRY_PORT_5000_TCP_ADDR",
        "REGISTRY_SERVICE_HOST",
        "REGISTRY_",
        "REGISTRY_HTTP_",
        "REGISTRY_HTTP__ADDR",
        "REGISTRY_HTTP_ADDRESS",
        "REGISTRY_HTTP_ADDR_PORT",
        "REGISTRY_STORAGE_S3_",
        "REGISTRY_STORAGE_DELETE_ENABLE",
        "REGISTRY_NOTIFICATIONS_ENDPOINTS_URL",
        "REGISTRY_NOTIFICATIONS_ENDPOINTS_X_URL",
        "REGISTRY_NOTIFICATIONS_ENDPOINTS_99999999_URL",
        "REGISTRY_VERSION",
    ],
)
def test_a_variable_that_matches_no_key_is_a_warning_and_its_value_is_not_read(name: str) -> None:
    document: dict[str, Any] = {}
    assert overridden(document, {name: "{ no: YAML"}) == [f"{name} matches no configuration key and has no effect"]
    assert document == {}


@pytest.mark.parametrize(
    ("document", "environ", "message"),
    [
        ({}, {"REGISTRY_HTTP": "{addr: "}, "REGISTRY_HTTP, line 1: invalid YAML"),
        ({}, {"REGISTRY_HTTP_ADDR": "\udcff"}, "REGISTRY_HTTP_ADDR, line 1: invalid YAML"),
        ({}, {"REGISTRY_HTTP_TLS": "{key: a, key: b}"}, "REGISTRY_HTTP_TLS, line 1: invalid YAML: the key 'key' twice"),
        ({"http": 5}, {"REGISTRY_HTTP_ADDR": ":1"}, "REGISTRY_HTTP_ADDR: http is a single value already"),
        ({"http": "x"}, {"REGISTRY_HTTP_ADDR": ":1"}, "REGISTRY_HTTP_ADDR: http is a single value already"),
        (
            {"notifications": {"endpoints": []}},
            {"REGISTRY_NOTIFICATIONS_ENDPOINTS_1_URL": "u"},
            "REGISTRY_NOTIFICATIONS_ENDPOINTS_1_URL: '1' is no element of the list, nor the next one (0)",
        ),
        ({"http": []}, {"REGISTRY_HTTP_ADDR": ":1"}, "REGISTRY_HTTP_ADDR: 'addr' is no element of the list"),
        ({}, {"REGISTRY_HTTP_SECRET": "a: hush: b"}, "REGISTRY_HTTP_SECRET, line 1: invalid YAML"),
    ],
)
def test_a_variable_that_cannot_be_applied_is_named(
    document: dict[str, Any], environ: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        overridden(document, environ)
    assert message in str(raised.value)
    assert "hush" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_overridden_values_are_checked_like_those_of_the_file() -> None:
    with pytest.raises(ConfigurationError, match=r"storage\.delete\.enabled: must be true or false, not ja \(text\)"):
        load({"storage": "inmemory"}, {"REGISTRY_STORAGE_DELETE_ENABLED": "ja"})


def test_access_control_can_be_asked_for_in_the_environment() -> None:
    auth = load(None, {"REGISTRY_AUTH": "htpasswd", "REGISTRY_AUTH_HTPASSWD_REALM": "r"}).auth
    assert auth == Auth("htpasswd", {"realm": "r"})


def test_a_second_driver_from_the_environment_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="exactly one driver is allowed, not filesystem, s3"):
        load({"storage": "filesystem"}, {"REGISTRY_STORAGE_S3_BUCKET": "b"})


def test_an_empty_variable_says_that_there_is_no_cache() -> None:
    document = {"storage": {"inmemory": {}, "cache": {"layerinfo": "inmemory"}}}
    assert load(document).storage.cache == Cache("inmemory", {"size": 10000})
    assert load(document, {"REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR": ""}).storage.cache is None


def test_layers_can_be_configured_by_variables() -> None:
    environ = {"REGISTRY_MIDDLEWARE_HTTP_0_NAME": "gzip", "REGISTRY_MIDDLEWARE_HTTP_0_OPTIONS_LEVEL": "5"}
    assert load(None, environ).middleware == (Layer("gzip", {"level": 5}, "middleware.http[0]"),)


def test_values_that_an_anchor_shares_in_the_file_are_set_apart(tmp_path: Path) -> None:
    file = tmp_path / "registry.yml"
    file.write_text("version: 0.1\nstorage:\n  filesystem: &p {rootdirectory: /a}\nlog: {fields: *p}\n")
    config = load(file, {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/b"})
    assert (config.storage.parameters, config.log.fields) == ({"rootdirectory": "/b"}, {"rootdirectory": "/a"})

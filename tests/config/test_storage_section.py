from __future__ import annotations

from typing import Any

import pytest

from registry_wsgi.config import Cache, load
from registry_wsgi.errors import ConfigurationError


@pytest.mark.parametrize("storage", ["inmemory", {"inmemory": None}, {"inmemory": {}}, {"inmemory": {}, "cache": None}])
def test_a_driver_without_parameters_may_be_a_bare_name(storage: object) -> None:
    config = load({"storage": storage})
    assert (config.storage.driver, config.storage.parameters) == ("inmemory", {})


def test_parameters_are_handed_on_as_they_are() -> None:
    parameters = {"bucket": "b", "secure": False, "chunksize": 5242880, "headers": {"a": ["b"]}}
    storage = load({"storage": {"s3": parameters, "delete": {"enabled": True}}}).storage
    assert (storage.driver, storage.parameters) == ("s3", parameters)


@pytest.mark.parametrize(
    "document", [{}, {"storage": None}, {"storage": ""}, {"storage": {"delete": {"enabled": True}}}]
)
def test_a_driver_must_be_named(document: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="no storage configuration provided"):
        load(document)


def test_a_second_driver_is_refused_with_the_names_of_both() -> None:
    with pytest.raises(ConfigurationError, match="storage: exactly one driver is allowed, not filesystem, s3;"):
        load({"storage": {"filesystem": {}, "s3": None, "cache": {}}})


INMEMORY = Cache("inmemory", {"size": 10000})
REDIS = Cache("redis", {"addr": "localhost:6379"}, section="redis")
ABSENT = object()


@pytest.mark.parametrize(
    ("blobdescriptor", "layerinfo", "cache"),
    [
        (ABSENT, ABSENT, None),
        ("inmemory", ABSENT, INMEMORY),
        ("redis", ABSENT, REDIS),
        ("", ABSENT, None),
        (None, ABSENT, None),
        (ABSENT, "inmemory", INMEMORY),
        (ABSENT, "redis", REDIS),
        (ABSENT, "", None),
        (ABSENT, None, None),
        ("inmemory", "redis", INMEMORY),
        ("redis", "inmemory", REDIS),
        ("", "redis", None),
        (None, "redis", None),
        ("", "", None),
    ],
)
def test_layerinfo_counts_only_where_blobdescriptor_is_absent(
    blobdescriptor: object, layerinfo: object, cache: Cache | None
) -> None:
    given = {"blobdescriptor": blobdescriptor, "layerinfo": layerinfo}
    section = {key: value for key, value in given.items() if value is not ABSENT}
    redis = {"addr": "localhost:6379"} if cache == REDIS else {}
    config = load({"storage": {"inmemory": {}, "cache": section}, "redis": redis})
    assert config.storage.cache == cache
    deprecated = [warning for warning in config.warnings if "storage.cache.layerinfo is deprecated" in warning]
    assert len(deprecated) == len(config.warnings) == (0 if layerinfo is ABSENT else 1)


@pytest.mark.parametrize(("given", "size"), [(None, 10000), (5, 5), (0, 0), (-1, 0)])
def test_the_size_of_the_cache_in_memory_is_configured(given: int | None, size: int) -> None:
    section = {"blobdescriptor": "inmemory", "blobdescriptorsize": given}
    assert load({"storage": {"inmemory": {}, "cache": section}}).storage.cache == Cache("inmemory", {"size": size})


@pytest.mark.parametrize("provider", ["memcached", ""])
def test_a_size_without_the_cache_in_memory_is_a_warning(provider: str) -> None:
    section = {"blobdescriptor": provider, "blobdescriptorsize": 5}
    config = load({"storage": {"inmemory": {}, "cache": section}})
    assert config.warnings == ("storage.cache.blobdescriptorsize has an effect only with the cache inmemory",)

"""The in-memory cache provider: the suite and its bound."""

from __future__ import annotations

import pytest

from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import BlobUnknown, ConfigurationError
from registry_wsgi.testing.caches import CacheProviderSuite

CTX = Context()


class TestInMemoryCacheProvider(CacheProviderSuite):
    @pytest.fixture
    def provider(self):
        return InMemoryCacheProvider()


class TestInMemoryCacheProviderWithoutLimit(CacheProviderSuite):
    @pytest.fixture
    def provider(self):
        return InMemoryCacheProvider(size=0)


def descriptor(number):
    return Descriptor(Digest.of(str(number).encode()), number)


def known(service, numbers):
    found = []
    for number in numbers:
        try:
            found.append(service.stat(CTX, descriptor(number).digest).size)
        except BlobUnknown:
            continue
    return found


@pytest.mark.parametrize("size", ["100", 2.5, None, True])
def test_a_size_that_is_no_whole_number_is_refused(size):
    with pytest.raises(ConfigurationError, match="size must be a whole number"):
        InMemoryCacheProvider(size=size)


def test_the_longest_unused_descriptors_are_forgotten():
    provider = InMemoryCacheProvider(size=10)
    for number in range(10):
        provider.set_descriptor(CTX, descriptor(number).digest, descriptor(number))
    provider.stat(CTX, descriptor(0).digest)
    for number in range(10, 15):
        provider.set_descriptor(CTX, descriptor(number).digest, descriptor(number))
    assert known(provider, range(15)) == [0, 6, 7, 8, 9, 10, 11, 12, 13, 14]


def test_the_bound_holds_over_all_repositories_together():
    provider = InMemoryCacheProvider(size=10)
    services = [provider.repository_scoped(f"name{number}") for number in range(20)]
    for service in services:
        for number in range(20):
            service.set_descriptor(CTX, descriptor(number).digest, descriptor(number))
    assert sum(len(known(service, range(20))) for service in [provider, *services]) <= 10


def test_what_a_repository_forgot_is_unknown_to_it_and_can_be_set_again():
    provider = InMemoryCacheProvider(size=4)
    scoped = provider.repository_scoped("a")
    for number in range(50):
        scoped.set_descriptor(CTX, descriptor(number).digest, descriptor(number))
        assert scoped.stat(CTX, descriptor(number).digest) == descriptor(number)
    with pytest.raises(BlobUnknown):
        scoped.stat(CTX, descriptor(0).digest)


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_of_zero_or_less_is_no_limit(size):
    provider = InMemoryCacheProvider(size=size)
    for number in range(20_000):
        provider.set_descriptor(CTX, descriptor(number).digest, descriptor(number))
    assert len(known(provider, range(20_000))) == 20_000

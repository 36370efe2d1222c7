"""What processes that share a cache tell each other of links: for providers that are a LinkWitness."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.interfaces import LinkWitness

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import BlobDescriptorCacheProvider

LINK = "/docker/registry/v2/repositories/a/b/_layers/sha256/00/link"
LONG = 600.0
SHORT = 0.2


class LinkWitnessSuite:
    """The part of CacheProviderSuite that a provider which processes do not share skips."""

    @pytest.fixture
    def witnesses(
        self, provider: BlobDescriptorCacheProvider, other_provider: BlobDescriptorCacheProvider
    ) -> tuple[LinkWitness, LinkWitness]:
        if not isinstance(provider, LinkWitness) or not isinstance(other_provider, LinkWitness):
            pytest.skip("the provider tells nobody of links")
        return provider, other_provider

    def test_what_one_process_testifies_to_another_is_told(
        self, witnesses: tuple[LinkWitness, LinkWitness], ctx: Context
    ) -> None:
        first, second = witnesses
        assert not second.testified(ctx, LINK)
        first.testify(ctx, LINK, LONG)
        assert first.testified(ctx, LINK)
        assert second.testified(ctx, LINK)
        assert not second.testified(ctx, LINK.replace("/b/", "/c/"))

    def test_what_is_withdrawn_nobody_is_told_nor_testifies_to(
        self, witnesses: tuple[LinkWitness, LinkWitness], ctx: Context
    ) -> None:
        first, second = witnesses
        first.testify(ctx, LINK, LONG)
        second.withdraw(ctx, LINK, LONG)
        assert not first.testified(ctx, LINK)
        first.testify(ctx, LINK, LONG)
        assert not first.testified(ctx, LINK)
        assert not second.testified(ctx, LINK)

    def test_a_look_that_is_told_after_a_delete_does_not_count(
        self, witnesses: tuple[LinkWitness, LinkWitness], ctx: Context
    ) -> None:
        first, second = witnesses
        second.withdraw(ctx, LINK, LONG)
        first.testify(ctx, LINK, LONG)
        assert not second.testified(ctx, LINK)

    def test_it_is_testified_to_again_when_the_time_of_a_delete_is_over(
        self, witnesses: tuple[LinkWitness, LinkWitness], ctx: Context
    ) -> None:
        first, second = witnesses
        first.withdraw(ctx, LINK, SHORT)
        deadline = time.monotonic() + 30
        while not second.testified(ctx, LINK):
            assert time.monotonic() < deadline
            second.testify(ctx, LINK, LONG)
            time.sleep(SHORT / 4)
        assert first.testified(ctx, LINK)

    def test_nobody_is_believed_for_longer_than_the_first_one_said(
        self, witnesses: tuple[LinkWitness, LinkWitness], ctx: Context
    ) -> None:
        first, second = witnesses
        first.testify(ctx, LINK, SHORT)
        began = time.monotonic()
        second.testify(ctx, LINK, LONG)
        if time.monotonic() - began > SHORT / 2:
            pytest.skip("the machine is too slow to tell")
        deadline = time.monotonic() + 30
        while second.testified(ctx, LINK):
            assert time.monotonic() < deadline
            time.sleep(SHORT / 4)

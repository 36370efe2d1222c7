"""The conformance suite of descriptor cache providers.

    class TestMyCache(CacheProviderSuite):
        @pytest.fixture
        def provider(self):
            ...  # a provider that remembers nothing yet, and holds some hundred descriptors

        @pytest.fixture
        def other_provider(self, provider):
            ...  # where there can be one: a second provider that knows what the first one is told

It holds the rules of distribution 2.8's suite, what keeps one repository's knowledge from another's, and what makes a
provider good enough to be the only one who knows: a registry without links runs on it. Of a provider that is a
LinkWitness it holds what processes tell each other.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.context import Context
from registry_wsgi.descriptor import OCTET_STREAM, Descriptor, Digest
from registry_wsgi.errors import BlobUnknown, DigestInvalid, NameInvalid
from registry_wsgi.interfaces import CacheStatistics
from registry_wsgi.testing._caches_links import LinkWitnessSuite
from registry_wsgi.testing._caches_primary import PrimaryStoreSuite
from registry_wsgi.testing._together import together

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.interfaces import BlobDescriptorCacheProvider, BlobDescriptorService

    Scope = Callable[[BlobDescriptorCacheProvider], BlobDescriptorService]

CANONICAL = Digest.of(b"content")
ALIAS = Digest.of(b"content", "sha512")
OTHER = Digest.of(b"another content")
MEDIA_TYPE = "application/vnd.example.layer"
DESCRIPTOR = Descriptor(CANONICAL, 7, MEDIA_TYPE)

INVALID_DIGESTS = [
    "",
    "sha256",
    "sha256:",
    "sha256:abc",
    CANONICAL.upper(),
    CANONICAL + "\n",
    CANONICAL + "00",
    "md5:" + "0" * 32,
    "../" + CANONICAL,
]
INVALID_NAMES = ["", "/", "A", "a/", "/a", "a//b", "a b", "a\n", "../a", "_a", "a::b", "a" * 256]

GLOBAL: Scope = lambda provider: provider  # noqa: E731 - a value like the next one
SCOPED: Scope = lambda provider: provider.repository_scoped("a/b")  # noqa: E731
scopes = pytest.mark.parametrize("scope", [GLOBAL, SCOPED], ids=["global", "of a repository"])


class CacheProviderSuite(PrimaryStoreSuite, LinkWitnessSuite):
    """What a `BlobDescriptorCacheProvider` has to do. Subclass it and give the fixture `provider`."""

    @pytest.fixture
    def ctx(self) -> Context:
        return Context()

    @scopes
    def test_what_was_set_is_found(self, provider: BlobDescriptorCacheProvider, ctx: Context, scope: Scope) -> None:
        scope(provider).set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        assert scope(provider).stat(ctx, CANONICAL) == DESCRIPTOR

    @scopes
    @pytest.mark.parametrize("size", [0, 1, 2**31, 2**53 + 1])
    def test_sizes_are_kept_exactly(
        self, provider: BlobDescriptorCacheProvider, ctx: Context, scope: Scope, size: int
    ) -> None:
        scope(provider).set_descriptor(ctx, CANONICAL, Descriptor(CANONICAL, size))
        assert scope(provider).stat(ctx, CANONICAL).size == size

    @scopes
    def test_what_was_not_set_is_unknown(
        self, provider: BlobDescriptorCacheProvider, ctx: Context, scope: Scope
    ) -> None:
        scope(provider).set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        for digest in (OTHER, Digest.of(b"content", "sha384")):
            with pytest.raises(BlobUnknown):
                scope(provider).stat(ctx, digest)

    @scopes
    @pytest.mark.parametrize("digest", INVALID_DIGESTS, ids=ascii)
    def test_what_is_no_digest_is_refused(
        self, provider: BlobDescriptorCacheProvider, ctx: Context, scope: Scope, digest: str
    ) -> None:
        for call in (
            partial(scope(provider).stat, ctx, Digest(digest)),
            partial(scope(provider).clear, ctx, Digest(digest)),
            partial(scope(provider).set_descriptor, ctx, Digest(digest), DESCRIPTOR),
        ):
            with pytest.raises(DigestInvalid):
                call()

    @scopes
    @pytest.mark.parametrize(
        "descriptor",
        [
            Descriptor(Digest(""), 7, MEDIA_TYPE),
            Descriptor(Digest("sha256:abc"), 7, MEDIA_TYPE),
            Descriptor(CANONICAL, -1, MEDIA_TYPE),
            Descriptor(CANONICAL, 7, ""),
            Descriptor(OTHER, 7, MEDIA_TYPE),
        ],
        ids=["no digest", "a malformed digest", "a negative size", "no media type", "the digest of other content"],
    )
    def test_what_is_no_descriptor_of_the_digest_is_refused_and_not_remembered(
        self, provider: BlobDescriptorCacheProvider, ctx: Context, scope: Scope, descriptor: Descriptor
    ) -> None:
        with pytest.raises((ValueError, DigestInvalid)):
            scope(provider).set_descriptor(ctx, CANONICAL, descriptor)
        for service in (scope(provider), provider):
            for digest in (CANONICAL, OTHER):
                with pytest.raises(BlobUnknown):
                    service.stat(ctx, digest)

    @pytest.mark.parametrize("name", INVALID_NAMES, ids=ascii)
    def test_a_repository_name_outside_the_grammar_is_refused(
        self, provider: BlobDescriptorCacheProvider, name: str
    ) -> None:
        with pytest.raises(NameInvalid):
            provider.repository_scoped(name)

    def test_what_a_repository_sets_is_known_globally_without_its_media_type(
        self, provider: BlobDescriptorCacheProvider, ctx: Context
    ) -> None:
        descriptor = Descriptor(CANONICAL, 7, MEDIA_TYPE, {"annotations": {"secret": "of a/b"}})
        provider.repository_scoped("a/b").set_descriptor(ctx, CANONICAL, descriptor)
        found = provider.stat(ctx, CANONICAL)
        assert found == Descriptor(CANONICAL, 7, OCTET_STREAM)
        assert not found.extra

    def test_repositories_keep_media_types_of_their_own(
        self, provider: BlobDescriptorCacheProvider, ctx: Context
    ) -> None:
        for name in ("a", "b"):
            descriptor = Descriptor(CANONICAL, 7, f"application/vnd.example.{name}")
            provider.repository_scoped(name).set_descriptor(ctx, CANONICAL, descriptor)
        for name in ("a", "b"):
            found = provider.repository_scoped(name).stat(ctx, CANONICAL)
            assert found == Descriptor(CANONICAL, 7, f"application/vnd.example.{name}")

    def test_a_repository_does_not_find_what_others_or_the_global_scope_know(
        self, provider: BlobDescriptorCacheProvider, ctx: Context
    ) -> None:
        provider.set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        provider.repository_scoped("a").set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        for name in ("a/b", "b", "a-b", "aa"):
            with pytest.raises(BlobUnknown):
                provider.repository_scoped(name).stat(ctx, CANONICAL)

    def test_the_first_descriptor_stays_in_the_global_scope(
        self, provider: BlobDescriptorCacheProvider, ctx: Context
    ) -> None:
        provider.set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        provider.set_descriptor(ctx, CANONICAL, Descriptor(CANONICAL, 7, "application/vnd.example.later"))
        provider.repository_scoped("a").set_descriptor(ctx, CANONICAL, Descriptor(CANONICAL, 7, "text/plain"))
        assert provider.stat(ctx, CANONICAL) == DESCRIPTOR

    def test_the_last_descriptor_stays_in_a_repository(
        self, provider: BlobDescriptorCacheProvider, ctx: Context
    ) -> None:
        scoped = provider.repository_scoped("a")
        for media_type in (MEDIA_TYPE, "application/vnd.example.later"):
            scoped.set_descriptor(ctx, CANONICAL, Descriptor(CANONICAL, 7, media_type))
            assert scoped.stat(ctx, CANONICAL).media_type == media_type

    @scopes
    def test_a_digest_of_another_algorithm_leads_to_the_canonical_one(
        self, provider: BlobDescriptorCacheProvider, ctx: Context, scope: Scope
    ) -> None:
        scope(provider).set_descriptor(ctx, ALIAS, DESCRIPTOR)
        assert scope(provider).stat(ctx, ALIAS) == DESCRIPTOR
        assert provider.stat(ctx, ALIAS).digest == CANONICAL
        assert provider.stat(ctx, CANONICAL).digest == CANONICAL

    def test_a_repository_that_has_the_other_digest_has_not_the_canonical_one(
        self, provider: BlobDescriptorCacheProvider, ctx: Context
    ) -> None:
        """It may have deleted it: each digest has a link of its own."""
        scoped = provider.repository_scoped("a")
        scoped.set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        scoped.clear(ctx, CANONICAL)
        scoped.set_descriptor(ctx, ALIAS, DESCRIPTOR)
        with pytest.raises(BlobUnknown):
            scoped.stat(ctx, CANONICAL)

    @scopes
    def test_what_was_cleared_is_unknown_until_it_is_set_again(
        self, provider: BlobDescriptorCacheProvider, ctx: Context, scope: Scope
    ) -> None:
        scope(provider).set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        scope(provider).clear(ctx, CANONICAL)
        for service in (scope(provider), provider):
            with pytest.raises(BlobUnknown):
                service.stat(ctx, CANONICAL)
        scope(provider).set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        assert scope(provider).stat(ctx, CANONICAL) == DESCRIPTOR

    @scopes
    def test_there_is_nothing_to_clear_where_nothing_is_known(
        self, provider: BlobDescriptorCacheProvider, ctx: Context, scope: Scope
    ) -> None:
        with pytest.raises(BlobUnknown):
            scope(provider).clear(ctx, CANONICAL)
        scope(provider).set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        scope(provider).clear(ctx, CANONICAL)
        with pytest.raises(BlobUnknown):
            scope(provider).clear(ctx, CANONICAL)

    def test_a_repository_cannot_clear_what_it_did_not_set(
        self, provider: BlobDescriptorCacheProvider, ctx: Context
    ) -> None:
        provider.repository_scoped("a").set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        with pytest.raises(BlobUnknown):
            provider.repository_scoped("b").clear(ctx, CANONICAL)
        assert provider.repository_scoped("a").stat(ctx, CANONICAL) == DESCRIPTOR
        assert provider.stat(ctx, CANONICAL).size == 7

    def test_what_a_repository_cleared_stays_unknown_to_it_when_others_set_it(
        self, provider: BlobDescriptorCacheProvider, ctx: Context
    ) -> None:
        """CVE-2026-35172: the membership stayed, and with the global entry set again the blob was back."""
        scoped = provider.repository_scoped("a")
        scoped.set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        scoped.clear(ctx, CANONICAL)
        provider.repository_scoped("b").set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        provider.set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        with pytest.raises(BlobUnknown):
            scoped.stat(ctx, CANONICAL)

    def test_other_digests_stay_when_one_is_cleared(self, provider: BlobDescriptorCacheProvider, ctx: Context) -> None:
        scoped = provider.repository_scoped("a")
        other = Descriptor(OTHER, 15, MEDIA_TYPE)
        scoped.set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        scoped.set_descriptor(ctx, OTHER, other)
        scoped.clear(ctx, CANONICAL)
        assert scoped.stat(ctx, OTHER) == other

    def test_two_services_of_one_repository_are_the_same_scope(
        self, provider: BlobDescriptorCacheProvider, ctx: Context
    ) -> None:
        provider.repository_scoped("a").set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        assert provider.repository_scoped("a").stat(ctx, CANONICAL) == DESCRIPTOR
        provider.repository_scoped("a").clear(ctx, CANONICAL)
        with pytest.raises(BlobUnknown):
            provider.repository_scoped("a").stat(ctx, CANONICAL)

    def test_look_ups_are_counted_by_what_they_find(self, provider: BlobDescriptorCacheProvider, ctx: Context) -> None:
        if not isinstance(provider, CacheStatistics):
            pytest.skip("the provider does not count")
        scoped = provider.repository_scoped("a")
        scoped.set_descriptor(ctx, CANONICAL, DESCRIPTOR)
        for service, digest in [(provider, CANONICAL), (scoped, CANONICAL), (scoped, CANONICAL)]:
            service.stat(ctx, digest)
        for service in (provider, scoped):
            with pytest.raises(BlobUnknown):
                service.stat(ctx, OTHER)
        assert (provider.requests, provider.hits, provider.errors) == (5, 3, 0)

    def test_threads_do_not_see_each_others_repositories(
        self, provider: BlobDescriptorCacheProvider, ctx: Context
    ) -> None:
        def use(name: str) -> None:
            scoped = provider.repository_scoped(name)
            for number in range(60):
                digest = Digest.of(f"{name} {number}".encode())
                scoped.set_descriptor(ctx, digest, Descriptor(digest, number, f"application/vnd.example.{name}"))
                assert scoped.stat(ctx, digest).media_type == f"application/vnd.example.{name}"
                scoped.clear(ctx, digest)
                with pytest.raises(BlobUnknown):
                    scoped.stat(ctx, digest)

        together(*(partial(use, f"name{number}") for number in range(6)))

"""The signature service: what is stored, how it is fetched, and what signs a manifest from outside."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.errors import BlobUnknown, PathNotFound, RegistryError
from registry_wsgi.manifests import recognise
from registry_wsgi.reference import Tag
from registry_wsgi.storage import paths
from registry_wsgi.storage.artifacts import BUNDLE, BUNDLE_PREDICATE, COSIGN, NOTATION, SIGNATURE_PREDICATE
from registry_wsgi.storage.registry import Registry, Repository
from tests import storages
from tests.stack import CountingDriver, image_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.interfaces import StorageDriver

CTX = Context()
MANIFEST = Digest.of(b"a manifest")
SIGNATURES = [f'{{"signature":"{number}"}}'.encode() for number in range(20)]
IN_ORDER = sorted(SIGNATURES, key=Digest.of)


@pytest.fixture
def driver() -> CountingDriver:
    return CountingDriver(storages.new_driver())


@pytest.fixture
def repository(driver: CountingDriver) -> Repository:
    return Registry(driver).repository("a/b")


# ── stored ────────────────────────────────────────────────────────────────────────────────────


def test_a_signature_is_a_blob_with_a_link_under_the_revision(driver: CountingDriver, repository: Repository) -> None:
    repository.signatures.put(CTX, MANIFEST, SIGNATURES[0])
    signature = Digest.of(SIGNATURES[0])
    root = f"/docker/registry/v2/repositories/a/b/_manifests/revisions/sha256/{MANIFEST.hex}"
    assert driver.get_content(CTX, f"{root}/signatures/sha256/{signature.hex}/link") == signature.encode()
    assert driver.get_content(CTX, paths.blob_data(signature)) == SIGNATURES[0]


def test_signatures_gather_and_come_back_in_the_order_of_their_digests(repository: Repository) -> None:
    repository.signatures.put(CTX, MANIFEST, *SIGNATURES[:7])
    repository.signatures.put(CTX, MANIFEST, *SIGNATURES[5:])
    assert repository.signatures.get(CTX, MANIFEST) == IN_ORDER
    assert repository.signatures.get(CTX, MANIFEST) == IN_ORDER


def test_a_manifest_that_nobody_signed_has_no_signatures(repository: Repository) -> None:
    assert repository.signatures.get(CTX, MANIFEST) == []
    repository.signatures.put(CTX, MANIFEST)
    assert repository.signatures.get(CTX, MANIFEST) == []


def test_what_is_no_signature_is_logged_and_skipped(
    driver: CountingDriver, repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    repository.signatures.put(CTX, MANIFEST, SIGNATURES[0])
    for stray in ("lost-found", "abc", "A" * 64, "0" * 63):
        driver.put_content(CTX, f"{paths.signatures('a/b', MANIFEST)}/{stray}/link", b"")
    assert repository.signatures.get(CTX, MANIFEST) == [SIGNATURES[0]]
    assert [record.message for record in caplog.records].count("not a signature, and skipped") == 4


# ── fetched ───────────────────────────────────────────────────────────────────────────────────


class SlowDriver:
    """A driver that is slow to read, and counts how many threads read at once."""

    def __init__(self, driver: StorageDriver, wait: Callable[[str], None]) -> None:
        self.name = driver.name
        self.reading = self.most = 0
        self.threads: set[str] = set()
        self._driver = driver
        self._wait = wait
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def get_content(self, ctx: Context, path: str) -> bytes:
        with self._lock:
            self.reading += 1
            self.most = max(self.most, self.reading)
            self.threads.add(threading.current_thread().name)
        try:
            self._wait(path)
            return self._driver.get_content(ctx, path)
        finally:
            with self._lock:
                self.reading -= 1


def test_signatures_are_fetched_at_once_by_a_bounded_number_of_threads() -> None:
    driver = SlowDriver(storages.new_driver(), lambda _: time.sleep(0.02))
    registry = Registry(driver)
    for name in ("a", "b"):
        registry.repository(name).signatures.put(CTX, MANIFEST, *SIGNATURES)
    driver.threads.clear()  # a push reads, too
    for _ in range(3):
        for name in ("a", "b"):
            assert registry.repository(name).signatures.get(CTX, MANIFEST) == IN_ORDER
    assert 1 < driver.most <= 8
    assert len(driver.threads) <= 8, "the registry has one pool for all of its repositories"


def test_signatures_that_arrive_in_another_order_are_collected_in_order() -> None:
    last = Digest.of(IN_ORDER[-1]).hex
    arrived = threading.Event()

    def wait(path: str) -> None:
        """Let the last one overtake all others."""
        if last in path:
            arrived.set()
        else:
            assert arrived.wait(60)

    driver = storages.new_driver()
    Registry(driver).repository("a").signatures.put(CTX, MANIFEST, IN_ORDER[0], IN_ORDER[-1])
    repository = Registry(SlowDriver(driver, wait)).repository("a")
    assert repository.signatures.get(CTX, MANIFEST) == [IN_ORDER[0], IN_ORDER[-1]]


def test_no_thread_is_started_before_the_first_signature_is_fetched(repository: Repository) -> None:
    before = set(threading.enumerate())
    repository.signatures.get(CTX, MANIFEST)
    assert set(threading.enumerate()) <= before


def test_the_start_of_each_fetch_is_logged(repository: Repository, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "registry_wsgi")
    repository.signatures.put(CTX, MANIFEST, *SIGNATURES[:3])
    repository.signatures.get(CTX, MANIFEST)
    fetches = [record.fields["signature.digest"] for record in caplog.records if record.message == "fetching signature"]  # type: ignore[attr-defined]
    assert sorted(fetches) == sorted(Digest.of(signature) for signature in SIGNATURES[:3])


def test_the_first_failure_is_raised_and_each_is_logged(
    driver: CountingDriver, repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    repository.signatures.put(CTX, MANIFEST, *IN_ORDER[:4])
    damaged, missing = Digest.of(IN_ORDER[1]), Digest.of(IN_ORDER[2])
    driver.put_content(CTX, paths.signature_link("a/b", MANIFEST, damaged), b"no digest")
    driver.delete(CTX, paths.blob_data(missing))
    with pytest.raises(RegistryError, match="holds no digest"):
        repository.signatures.get(CTX, MANIFEST)
    assert [record.message for record in caplog.records] == ["a signature could not be fetched"] * 2

    driver.put_content(CTX, paths.signature_link("a/b", MANIFEST, damaged), damaged.encode())
    with pytest.raises(BlobUnknown, match=missing):
        repository.signatures.get(CTX, MANIFEST)
    link = paths.signature_link("a/b", MANIFEST, missing)
    driver.put_content(CTX, f"{link}-beside", b"")  # in an object store a directory is what is in it
    driver.delete(CTX, link)
    with pytest.raises(PathNotFound):
        repository.signatures.get(CTX, MANIFEST)


# ── attached ──────────────────────────────────────────────────────────────────────────────────


def put(repository: Repository, tag: str = "", **members: object) -> Digest:
    config = repository.blobs.put(CTX, mediatypes.OCTET_STREAM, b"{}").digest
    digest = repository.manifests.put(CTX, recognise(image_manifest(config, **members))).digest
    if tag:
        repository.tags.put(CTX, Tag(tag), digest)
    return digest


def referrer(repository: Repository, subject: Digest, artifact_type: str, **annotations: str) -> Digest:
    return put(
        repository,
        subject={"mediaType": mediatypes.OCI_MANIFEST, "size": 1, "digest": subject},
        artifactType=artifact_type,
        annotations=annotations,
    )


def attached(repository: Repository, digest: Digest) -> list[tuple[str, Digest]]:
    return [(found.kind, found.descriptor.digest) for found in repository.signatures.attached(CTX, digest)]


def test_what_nobody_signed_has_nothing_attached(repository: Repository) -> None:
    assert attached(repository, MANIFEST) == []
    assert attached(repository, put(repository)) == []


@pytest.mark.parametrize(
    ("kind", "artifact_type"),
    [
        ("notation", NOTATION),
        ("cosign", COSIGN),
        ("cosign", f"{BUNDLE}.v0.3+json"),
        ("cosign", f"{BUNDLE}+json;version=0.2"),
    ],
)
def test_a_signature_that_refers_to_a_manifest_is_attached(
    kind: str, artifact_type: str, repository: Repository
) -> None:
    image = put(repository)
    signature = referrer(repository, image, artifact_type)
    referrer(repository, image, "application/vnd.example.sbom")
    assert attached(repository, image) == [(kind, signature)]
    assert repository.signatures.attached(CTX, image)[0].descriptor.extra["artifactType"] == artifact_type


def test_a_bundle_may_be_an_attestation_and_is_then_no_signature(repository: Repository) -> None:
    image = put(repository)
    bundle = f"{BUNDLE}.v0.3+json"
    signature = referrer(repository, image, bundle, **{BUNDLE_PREDICATE: SIGNATURE_PREDICATE})
    referrer(repository, image, bundle, **{BUNDLE_PREDICATE: "https://slsa.dev/provenance/v1"})
    assert attached(repository, image) == [("cosign", signature)]


def test_a_signature_under_cosigns_tag_is_attached_and_listed_once(repository: Repository) -> None:
    image = put(repository)
    tag = f"sha256-{image.hex}.sig"
    tagged = put(repository, tag, annotations={"tagged": "yes"})
    notation = referrer(repository, image, NOTATION)
    assert attached(repository, image) == [("notation", notation), ("cosign", tagged)]

    repository.tags.put(CTX, Tag(tag), referrer(repository, image, COSIGN))
    assert [kind for kind, _ in sorted(attached(repository, image))] == ["cosign", "notation"]


def test_a_signature_that_was_deleted_is_attached_no_longer(driver: CountingDriver) -> None:
    repository = Registry(driver, delete_enabled=True).repository("a/b")
    image = put(repository)
    signature = referrer(repository, image, NOTATION)
    put(repository, f"sha256-{image.hex}.sig")
    repository.manifests.delete(CTX, signature)
    repository.tags.delete(CTX, Tag(f"sha256-{image.hex}.sig"))
    assert attached(repository, image) == []

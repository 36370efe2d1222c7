"""Content with digests of another algorithm: on the wire it has the digest that the client used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from tests.conformance.target import (
    EMPTY_JSON,
    SBOM,
    Repo,
    descriptor,
    digest_of,
    image_of,
    index_of,
    random_blob,
    unknown_digest,
)

if TYPE_CHECKING:
    from tests.wire import Response

endpoint = pytest.mark.endpoint


@pytest.fixture(params=["sha512", "sha384"])
def algorithm(request: pytest.FixtureRequest, repo: Repo) -> str:
    """An algorithm beside sha256; skips where the registry does not take it for blobs."""
    content = random_blob()
    answer = repo.close(repo.start_upload(), digest_of(content, request.param), content)
    repo.target.optional(answer.status == 201, request.param)
    return request.param


def by_digest(repo: Repo, algorithm: str, payload: bytes) -> str:
    """Push a manifest by its digest of that algorithm and return it; skips where that cannot be."""
    digest = digest_of(payload, algorithm)
    answer = repo.put(digest, payload)
    repo.target.optional(answer.status == 201, f"manifests by {algorithm}")
    assert answer.digest == digest
    assert repo.client.request("GET", answer.headers["Location"], headers={"Accept": "*/*"}).body == payload
    return digest


def assert_digest(repo: Repo, answer: Response, content: bytes, digest: str) -> None:
    """Check the digest of an answer: the client's here, and elsewhere any that is the content's."""
    if repo.target.required or answer.digest is None:
        assert answer.digest == digest
    else:
        assert answer.digest == digest_of(content, answer.digest.partition(":")[0])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@endpoint("end-2", "MUST", since="main")
def test_end_2_a_blob_is_pulled_by_the_digest_it_was_pushed_by(repo: Repo, algorithm: str, method: str) -> None:
    content = random_blob()
    digest = repo.push_blob(content, algorithm)
    answer = repo.blob(digest, method)
    assert answer.status == 200
    assert_digest(repo, answer, content, digest)
    assert answer.headers["Content-Length"] == str(len(content))
    assert answer.body == (content if method == "GET" else b"")


@endpoint("end-2", "SHOULD")
def test_end_2_a_range_of_a_blob_by_another_algorithm(repo: Repo, algorithm: str) -> None:
    content = random_blob()
    answer = repo.blob(repo.push_blob(content, algorithm), Range="bytes=10-19")
    assert (answer.status, answer.body) == (206, content[10:20])


@endpoint("end-4b", "MUST")
def test_end_4b_a_single_post_by_another_algorithm(repo: Repo, algorithm: str) -> None:
    content = random_blob()
    digest = digest_of(content, algorithm)
    answer = repo.request("POST", f"blobs/uploads/?digest={digest}", content)
    repo.target.optional(answer.status != 202, "a push with a single POST")
    assert answer.status == 201
    assert_digest(repo, answer, content, digest)
    assert repo.blob(digest).body == content


@endpoint("end-6", "MUST", since="main")
def test_end_6_the_answer_to_a_push_has_the_clients_digest(repo: Repo, algorithm: str) -> None:
    content = random_blob()
    digest = digest_of(content, algorithm)
    location = repo.start_upload()
    for start in (0, 256):
        answer = repo.patch(location, content[start : start + 256], f"{start}-{start + 255}")
        location = answer.headers["Location"]
    answer = repo.close(location, digest)
    assert answer.status == 201
    assert_digest(repo, answer, content, digest)
    assert repo.client.request("GET", answer.headers["Location"]).body == content


@endpoint("end-6", "SHOULD", since="main")
def test_end_6_a_wrong_digest_of_another_algorithm_is_400(repo: Repo, algorithm: str) -> None:
    answer = repo.close(repo.start_upload(), unknown_digest(algorithm), random_blob())
    repo.assert_refused(answer, 400, "DIGEST_INVALID")


@endpoint("end-11", "MUST")
def test_end_11_a_blob_is_mounted_by_another_algorithm(repo: Repo, other: Repo, algorithm: str) -> None:
    content = random_blob()
    digest = other.push_blob(content, algorithm)
    answer = repo.request("POST", f"blobs/uploads/?mount={digest}&from={other.name}", b"")
    repo.target.optional(answer.status != 202, "mounting from another repository")
    assert answer.status == 201
    assert_digest(repo, answer, content, digest)
    assert repo.blob(digest).body == content


@endpoint("end-11", "MAY")
def test_end_11_a_blob_is_mounted_by_another_algorithm_without_saying_from_where(
    repo: Repo, other: Repo, algorithm: str
) -> None:
    content = random_blob()
    digest = other.push_blob(content, algorithm)
    answer = repo.request("POST", f"blobs/uploads/?mount={digest}", b"")
    repo.target.optional(answer.status != 202, "mounting without `from`")
    assert answer.status == 201
    assert repo.blob(digest).body == content


@endpoint("end-10", "MUST")
def test_end_10_a_blob_is_deleted_by_another_algorithm(repo: Repo, algorithm: str) -> None:
    digest = repo.push_blob(random_blob(), algorithm)
    status = repo.request("DELETE", f"blobs/{digest}").status
    repo.target.optional(status not in (400, 405), "deleting blobs")
    assert (status, repo.blob(digest).status) == (202, 404)


@endpoint("end-7a", "MUST", since="main")
def test_end_7a_images_and_indexes_are_pushed_and_pulled_by_another_algorithm(repo: Repo, algorithm: str) -> None:
    image = repo.image(algorithm)
    index = index_of(image, algorithm=algorithm)
    for payload, media_type in ((image, mediatypes.OCI_MANIFEST), (index, mediatypes.OCI_INDEX)):
        digest = by_digest(repo, algorithm, payload)
        for method in ("GET", "HEAD"):
            answer = repo.manifest(digest, method)
            assert (answer.status, answer.digest) == (200, digest)
            assert answer.headers["Content-Type"] == media_type
            assert answer.headers["Content-Length"] == str(len(payload))
        assert repo.manifest(digest).body == payload


@endpoint("end-7a", "MUST", since="main")
def test_end_7a_a_wrong_digest_of_another_algorithm_is_400(repo: Repo, algorithm: str) -> None:
    repo.assert_refused(repo.put(unknown_digest(algorithm), repo.image()), 400, "DIGEST_INVALID")


@endpoint("end-7b", "MUST", since="main")
def test_end_7b_a_tag_of_the_query_is_pulled_with_a_digest_of_the_content(repo: Repo, algorithm: str) -> None:
    payload = repo.image(algorithm)
    digest = digest_of(payload, algorithm)
    answer = repo.put(f"{digest}?tag=v1&tag=v2", payload)
    repo.target.optional(answer.status == 201 and answer.headers["OCI-Tag"] is not None, "pushing tags in the query")
    assert repo.manifest(digest).digest == digest
    for tag in ("v1", "v2"):
        # A tag names content, and not a digest of it: the header may have the content's canonical one.
        pulled = repo.manifest(tag)
        assert (pulled.status, pulled.body) == (200, payload)
        assert pulled.digest in (digest, digest_of(payload))


@endpoint("end-9", "MUST")
def test_end_9_a_manifest_is_deleted_by_another_algorithm(repo: Repo, algorithm: str) -> None:
    digest = by_digest(repo, algorithm, repo.image(algorithm))
    status = repo.request("DELETE", f"manifests/{digest}").status
    repo.target.optional(status not in (400, 405), "deleting manifests")
    assert (status, repo.manifest(digest).status) == (202, 404)


@endpoint("end-12a", "MUST")
def test_end_12a_a_subject_named_by_another_algorithm_has_referrers(repo: Repo, algorithm: str) -> None:
    subject = repo.image(algorithm)
    digest = by_digest(repo, algorithm, subject)
    repo.referrers(digest)
    repo.push_blob(EMPTY_JSON)
    members = {"artifactType": SBOM, "subject": descriptor(subject, mediatypes.OCI_MANIFEST, algorithm)}
    payload = image_of(EMPTY_JSON, **members)
    answer = repo.put(digest_of(payload), payload)
    assert (answer.status, answer.headers["OCI-Subject"]) == (201, digest)
    assert repo.referring(digest) == [digest_of(payload)]


@endpoint("end-12a", "MUST")
def test_end_12a_a_referrer_pushed_by_another_algorithm_is_listed_once_and_can_be_pulled(
    repo: Repo, algorithm: str
) -> None:
    subject_digest, subject = repo.push_image()
    repo.referrers(subject_digest)
    payload = repo.image(algorithm, artifactType=SBOM, subject=descriptor(subject, mediatypes.OCI_MANIFEST))
    by_digest(repo, algorithm, payload)
    [listed] = repo.referring(subject_digest)
    assert listed in (digest_of(payload), digest_of(payload, algorithm))
    assert repo.manifest(listed).body == payload

"""Mounting a blob of another repository instead of sending it (end-11)."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

import pytest

from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.storage import paths
from tests import storages
from tests.api.inprocess import InProcess
from tests.stack import stack_over
from tests.wire import with_query

CONTENT = b"shared"
DIGEST = Digest.of(CONTENT)


def test_a_blob_is_mounted_without_being_sent(client: InProcess) -> None:
    client.push_blob("source", CONTENT)
    answer = client.request("POST", f"/v2/target/x/blobs/uploads/?mount={DIGEST}&from=source", b"")
    assert (answer.status, answer.body, answer.digest) == (201, b"", DIGEST)
    assert urlsplit(answer.headers["Location"]).path == f"/v2/target/x/blobs/{DIGEST}"
    assert client.blob("target/x", DIGEST).body == CONTENT


def test_a_blob_is_mounted_under_the_digest_that_was_asked_for(client: InProcess) -> None:
    digest = f"sha512:{hashlib.sha512(CONTENT).hexdigest()}"
    client.push_blob("source", CONTENT, digest)
    answer = client.request("POST", f"/v2/target/blobs/uploads/?mount={digest}&from=source", b"")
    assert (answer.status, answer.digest) == (201, digest)
    assert client.blob("target", digest).body == CONTENT
    assert client.blob("target", DIGEST).body == CONTENT


def test_a_mounted_blob_outlives_the_one_it_was_mounted_from(client: InProcess) -> None:
    client.push_blob("source", CONTENT)
    client.request("POST", f"/v2/target/blobs/uploads/?mount={DIGEST}&from=source", b"")
    assert client.delete("source", "blobs", DIGEST) == 202
    assert client.blob("target", DIGEST).body == CONTENT


def test_mounting_what_is_there_already_succeeds(client: InProcess) -> None:
    client.push_blob("source", CONTENT)
    for _ in range(2):
        assert client.request("POST", f"/v2/source/blobs/uploads/?mount={DIGEST}&from=source", b"").status == 201


@pytest.mark.parametrize(
    "query",
    [
        f"mount={DIGEST}&from=nowhere",
        f"mount={Digest.of(b'absent')}&from=source",
        f"mount={Digest.of(b'absent')}",
        f"mount={DIGEST}&from=UPPER",
        f"mount={DIGEST}&from=..%2Fsource",
        "mount=sha256:abc&from=source",
        "mount=&from=source",
        "from=source",
    ],
)
def test_a_mount_that_cannot_be_opens_a_session(client: InProcess, query: str) -> None:
    client.push_blob("source", CONTENT)
    answer = client.request("POST", f"/v2/target/blobs/uploads/?{query}", b"")
    assert answer.status == 202
    assert client.blob("target", DIGEST).status == 404
    assert client.request("PUT", with_query(answer.headers["Location"], digest=DIGEST), CONTENT).status == 201


@pytest.mark.parametrize("query", [f"mount={DIGEST}", f"mount={DIGEST}&from="])
def test_a_mount_without_a_source_finds_one(client: InProcess, query: str) -> None:
    client.push_blob("deep/source", CONTENT)
    assert client.request("POST", f"/v2/target/blobs/uploads/?{query}", b"").status == 201
    assert client.blob("target", DIGEST).body == CONTENT


def test_a_blob_that_no_repository_has_any_more_is_not_mounted(client: InProcess) -> None:
    client.push_blob("source", CONTENT)
    client.delete("source", "blobs", DIGEST)
    assert client.request("POST", f"/v2/target/blobs/uploads/?mount={DIGEST}", b"").status == 202


def test_a_blob_deleted_from_its_source_cannot_be_mounted(client: InProcess) -> None:
    client.push_blob("source", CONTENT)
    client.delete("source", "blobs", DIGEST)
    assert client.request("POST", f"/v2/target/blobs/uploads/?mount={DIGEST}&from=source", b"").status == 202
    assert client.blob("target", DIGEST).status == 404


@pytest.mark.parametrize("query", [f"mount={DIGEST}", f"mount={DIGEST}&from=source"])
def test_a_damaged_link_is_no_reason_to_refuse_a_push(query: str) -> None:
    driver = storages.new_driver()
    client = InProcess(stack_over(driver))
    client.push_blob("source", CONTENT)
    driver.put_content(Context(), paths.layer_link("source", DIGEST), b"no digest")
    answer = client.request("POST", f"/v2/target/blobs/uploads/?{query}", b"")
    if answer.status == 202:
        answer = client.request("PUT", with_query(answer.headers["Location"], digest=DIGEST), CONTENT)
    assert answer.status == 201
    assert client.blob("target", DIGEST).body == CONTENT

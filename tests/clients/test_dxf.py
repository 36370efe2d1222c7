"""python-dxf keeps plain blobs in a registry under aliases of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from dxf import DXF

from tests.images import KB, MB, digest_of_chunks, random_chunks
from tests.wire import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Server


@contextmanager
def repository(server: Server, name: str) -> Iterator[DXF]:
    with DXF(server.host, name, insecure=True) as client:
        yield client


@pytest.mark.parametrize("size", [KB, 100 * KB, 10 * MB])
def test_a_blob_comes_back_identical(registry: Server, tmp_path: Path, size: int) -> None:
    content = b"".join(random_chunks(size, size))
    (tmp_path / "blob").write_bytes(content)
    with repository(registry, "dxf/blobs") as client:
        digest = client.push_blob(str(tmp_path / "blob"))
        assert digest == digest_of(content)
        assert client.blob_size(digest) == size
        assert b"".join(client.pull_blob(digest)) == content


def test_a_blob_that_is_made_while_it_is_sent_comes_back_identical(registry: Server) -> None:
    digest = digest_of_chunks(random_chunks(5 * MB, "stream"))
    with repository(registry, "dxf/stream") as client:
        assert client.push_blob(data=random_chunks(5 * MB, "stream"), digest=digest) == digest
        assert digest_of_chunks(client.pull_blob(digest)) == digest


def test_an_alias_is_set_read_listed_and_deleted(registry: Server) -> None:
    with repository(registry, "dxf/alias") as client:
        digest = client.push_blob(data=iter([b"content"]), digest=digest_of(b"content"))
        document = client.set_alias("v1", digest)
        assert client.get_manifest("v1") == document
        assert client.get_alias("v1") == [digest]
        assert client.list_aliases() == ["v1"]
        manifest_digest, _response = client.head_manifest_and_response("v1")
        assert manifest_digest == digest_of(document.encode())
        assert client.del_alias("v1") == [digest]
        assert client.list_aliases() == []


def test_a_blob_is_mounted_from_another_repository_and_outlives_it_there(registry: Server) -> None:
    content = b"".join(random_chunks(100 * KB, "mount"))
    with repository(registry, "dxf/source") as source, repository(registry, "dxf/target") as target:
        digest = source.push_blob(data=iter([content]), digest=digest_of(content))
        assert target.mount_blob("dxf/source", digest) == digest
        source.del_blob(digest)
        assert b"".join(target.pull_blob(digest)) == content

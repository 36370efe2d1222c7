"""oras-py pushes files as an OCI artifact and brings them back."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from oras.client import OrasClient

from registry_wsgi import mediatypes
from tests.images import KB, MB, random_chunks
from tests.wire import Client, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.servers import Server


@contextmanager
def client_of(server: Server) -> Iterator[OrasClient]:
    client = OrasClient(hostname=server.host, insecure=True)
    try:
        yield client
    finally:
        client.session.close()


def test_an_artifact_comes_back_identical_by_tag_and_by_digest(
    registry: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {
        "notes.txt": b"salt, bread\n",
        "small.bin": b"".join(random_chunks(KB, "small")),
        "large.bin": b"".join(random_chunks(10 * MB, "large")),
    }
    monkeypatch.chdir(tmp_path)  # oras takes files below the working directory only
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    name = "oras/artifact"
    with client_of(registry) as client:
        pushed = client.push(
            f"{registry.host}/{name}:v1",
            files=[f"{file}:application/vnd.example.{number}" for number, file in enumerate(contents)],
            manifest_annotations={"org.example.course": "first"},
        )
        digest = pushed.headers["Docker-Content-Digest"]
        for directory, reference in (("by-tag", ":v1"), ("by-digest", f"@{digest}")):
            client.pull(f"{registry.host}/{name}{reference}", outdir=str(tmp_path / directory))
            for file, content in contents.items():
                assert (tmp_path / directory / file).read_bytes() == content
        assert client.get_tags(f"{registry.host}/{name}") == ["v1"]

    served = Client(registry.url).manifest(name, "v1")
    assert served.headers["Content-Type"] == mediatypes.OCI_MANIFEST
    assert digest_of(served.body) == served.digest == digest
    assert served.json()["annotations"] == {"org.example.course": "first"}
    assert [layer["digest"] for layer in served.json()["layers"]] == [digest_of(c) for c in contents.values()]

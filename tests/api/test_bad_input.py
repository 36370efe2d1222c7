"""Bad input: each gets the right error, nothing partial becomes visible, nothing stored before is lost.

The rows are in bad_input.py. Each is asked of a stack in this process and of a real server.
"""

from __future__ import annotations

import json
from io import BytesIO
from itertools import count
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from tests import wire
from tests.api.bad_input import BEGUN, CONFIG, IMAGE, LAYER, ROWS, Row
from tests.api.inprocess import BreakingStream, InProcess, in_memory_stack
from tests.waiting import until
from tests.wire import Response, chunk, digest_of, with_query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.api.bad_input import Body
    from tests.servers import Server

    Answer = Response | None

SOURCE = "bad/source"

_numbers = count()


class Stack(InProcess):
    def break_off(self, method: str, target: str, body: Body, headers: Mapping[str, str]) -> Answer:
        """Ask with a body of which the last byte never comes, and return the answer that nobody would hear."""
        if isinstance(body, bytes):
            return self.send(method, target, BytesIO(body), len(body) + 1, headers)
        return self.send(method, target, BreakingStream(b"".join(body), OSError("gone")), None, headers)


class Served(wire.Client):
    def __init__(self, server: Server) -> None:
        super().__init__(server.url)
        self.server = server

    def break_off(self, method: str, target: str, body: Body, headers: Mapping[str, str]) -> Answer:
        """Ask with a body of which the last byte never comes, and return once the server is done with it."""
        request = f'"{method} {target} HTTP/1.1"'
        before = self.server.log.read_text().count(request)
        framing = {"Transfer-Encoding": "chunked"}
        if isinstance(body, bytes):
            framing = {"Content-Length": str(len(body) + 1)}
        with self.begun(method, target, {**headers, **framing}) as connection:
            connection.sendall(body if isinstance(body, bytes) else b"".join(map(chunk, body)))
        until(lambda: self.server.log.read_text().count(request) > before)
        return None


class Place:
    """A repository with an image, and an upload begun."""

    def __init__(self, client: Stack | Served) -> None:
        self.client = client
        self.name = f"bad/{next(_numbers)}"
        for content in (CONFIG, LAYER):
            mount = f"mount={digest_of(content)}&from={SOURCE}"
            assert client.request("POST", f"/v2/{self.name}/blobs/uploads/?{mount}", b"").status == 201
        client.push_manifest(self.name, "v1", IMAGE, mediatypes.OCI_MANIFEST)
        self.upload = client.request("PATCH", client.start_upload(self.name), BEGUN).headers["Location"]
        self.catalog = client.catalog()

    def fill(self, text: str) -> str:
        words = {"{name}": self.name, "{upload}": self.upload, "{id}": self.upload.rpartition("/")[2]}
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    def ask(self, row: Row) -> Answer:
        method, target = self.fill(row.request).split(" ", 1)
        ask = self.client.break_off if row.broken_off else self.client.request
        return ask(method, target, row.body, row.headers)

    def check_unharmed(self) -> None:
        """Hold that what was stored is there, and nothing else is."""
        assert self.client.catalog() == self.catalog
        assert self.client.tags(self.name).json()["tags"] == ["v1"]
        for content in (CONFIG, LAYER):
            assert self.client.blob(self.name, digest_of(content)).body == content
        for reference in ("v1", digest_of(IMAGE)):
            assert self.client.manifest(self.name, reference).body == IMAGE

    def check_invisible(self, content: bytes) -> None:
        if content not in (b"", CONFIG, LAYER, IMAGE):
            for kind in ("blobs", "manifests"):
                target = f"/v2/{self.name}/{kind}/{digest_of(content)}"
                assert self.client.request("HEAD", target).status == 404

    def check_upload(self, left: bytes | None) -> None:
        """Hold that the upload has just that, by finishing it."""
        status = self.client.request("GET", self.upload)
        if left is None:
            assert status.status == 404
            return
        assert status.headers["Range"] == f"0-{len(left) - 1}"
        assert self.client.request("PUT", with_query(self.upload, digest=digest_of(left)), b"").status == 201
        assert self.client.blob(self.name, digest_of(left)).body == left


def check_answer(place: Place, row: Row, answer: Response) -> None:
    assert answer.status == row.status
    assert answer.headers.get_all("Docker-Distribution-API-Version") == ["registry/2.0"]
    for name, value in row.answers.items():
        assert answer.headers[name] == place.fill(value)
    assert "X-Injected" not in answer.headers
    if not row.code:
        return
    assert answer.headers["Content-Type"] == "application/json"
    if row.request.startswith("HEAD "):
        assert answer.body == b""
        return
    errors = answer.json()["errors"]
    assert {error["code"] for error in errors} == {row.code}
    assert all(error["message"] for error in errors)
    if row.details is not None:
        assert [error["detail"] for error in errors] == json.loads(place.fill(json.dumps(row.details)))


@pytest.fixture
def stacks() -> Callable[[bool], wire.Client]:
    """Give a new registry, deletion on or off: its catalog, which is asked for again and again, is a short one."""
    return lambda deletes: prepared(Stack(in_memory_stack(delete_enabled=deletes)))


@pytest.fixture(scope="module")
def servers(registry: Server, registry_without_deletion: Server) -> Callable[[bool], wire.Client]:
    return {True: prepared(Served(registry)), False: prepared(Served(registry_without_deletion))}.__getitem__


def prepared(client: wire.Client) -> wire.Client:
    for content in (CONFIG, LAYER):
        client.push_blob(SOURCE, content)
    return client


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what[:90])
@pytest.mark.parametrize("where", ["stacks", "servers"])
def test_bad_input_is_refused_and_harms_nothing(request: pytest.FixtureRequest, where: str, row: Row) -> None:
    place = Place(request.getfixturevalue(where)(row.deletes))
    answer = place.ask(row)
    if answer is not None:
        check_answer(place, row, answer)
    place.check_invisible(row.body if isinstance(row.body, bytes) else b"".join(row.body))
    place.check_upload(row.left)
    place.check_unharmed()

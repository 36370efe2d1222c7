"""python-dxf: blobs and aliases, tokens over TLS, and what a session that tries again makes of failures."""

import pytest
import requests
from dxf import DXF
from dxf.exceptions import DXFDigestMismatchError, DXFUnauthorizedError
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from registry_wsgi.descriptor import Digest


@pytest.fixture
def client(registry):
    with DXF(registry.host, "team/data", insecure=True) as client:
        yield client


def patient(client):
    """Make the client try again, as urllib3 does it."""
    retry = Retry(total=3, backoff_factor=0, status_forcelist=[429, 503], allowed_methods=None)
    client._sessions[0].mount("http://", HTTPAdapter(max_retries=retry))


def push(client, content):
    return client.push_blob(data=iter([content]), digest=Digest.of(content))


def test_it_pushes_a_blob_in_a_chunked_body_and_pulls_it(registry, client):
    digest = push(client, b"content")
    assert registry.blob("team/data", digest) == b"content"
    assert b"".join(client.pull_blob(digest)) == b"content"
    (put,) = registry.requests.where(lambda request: request.method == "PUT")
    assert (put.headers["Transfer-Encoding"], put.body_size) == ("chunked", 7)


def test_it_sets_an_alias(registry, client):
    digest = push(client, b"content")
    client.set_alias("v1", digest)
    assert [layer.digest for layer in registry.manifest("team/data", "v1").layers] == [digest]
    assert ("push", "v1") in [(event.action, event.tag) for event in registry.events]


def test_it_lists_all_aliases_of_a_registry_that_pages(registry, client):
    for number in range(25):
        registry.push_image(f"team/data:v{number:02}")
    registry.use("quirk-pages", default=10)
    registry.use("quirk-header-names")
    assert client.list_aliases() == [f"v{number:02}" for number in range(25)]
    with pytest.raises(requests.exceptions.HTTPError, match="405"):
        client.list_aliases(batch_size=5000)


@pytest.mark.parametrize("status", [429, 503])
def test_it_says_that_the_registry_is_busy_or_tries_again(registry, client, status):
    digest = registry.push_blob("team/data", b"content")
    registry.fail(times=1, status=status, headers={"Retry-After": "0"})
    with pytest.raises(requests.exceptions.HTTPError, match=str(status)):
        client.pull_blob(digest)
    registry.fail(times=2, status=status, headers={"Retry-After": "0"})
    patient(client)
    assert b"".join(client.pull_blob(digest)) == b"content"
    assert [request.status for request in registry.requests] == [status, status, status, 200]


def test_it_notices_that_a_blob_broke_off(registry, client):
    digest = registry.push_blob("team/data", b"x" * 100_000)
    registry.cut(at=50_000, on="GET")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, DXFDigestMismatchError)):
        b"".join(client.pull_blob(digest))


def test_it_mistrusts_no_wrong_digest_of_a_blob_but_that_of_a_manifest(registry, client):
    image = registry.push_image("team/data:v1", [b"content"])
    registry.use("fault-digest")
    assert b"".join(client.pull_blob(image.layers[0].digest)) == b"content"
    with pytest.raises(DXFDigestMismatchError):
        client.get_alias("v1")


@pytest.mark.registry(tls=True, users={"alice": "secret"}, token=True)
def test_it_gets_a_token_for_its_user(registry):
    def authenticate(dxf, response):
        dxf.authenticate("alice", "secret", response=response)

    with DXF(registry.host, "team/data", authenticate, tlsverify=str(registry.ca)) as client:
        assert registry.blob("team/data", push(client, b"content")) == b"content"
    with DXF(registry.host, "team/data", tlsverify=str(registry.ca)) as client, pytest.raises(DXFUnauthorizedError):
        client.list_aliases()

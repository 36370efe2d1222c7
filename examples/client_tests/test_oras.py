"""oras-py: push, pull, tags, tokens, and what it does when the registry fails."""

import time

import pytest
import requests
from oras.client import OrasClient


@pytest.fixture
def client(registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # oras takes files below the working directory only
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)  # it waits for seconds before it tries again
    client = OrasClient(hostname=registry.host, insecure=True)
    yield client
    client.session.close()


def push(client, registry, target, content="salt, bread\n", **options):
    with open("notes.txt", "w") as file:
        file.write(content)
    return client.push(f"{registry.host}/{target}", files=["notes.txt"], **options)


def test_it_pulls_what_it_pushed(registry, client):
    push(client, registry, "notes:v1")
    (path,) = client.pull(f"{registry.host}/notes:v1", outdir="pulled")
    with open(path) as file:
        assert file.read() == "salt, bread\n"
    (layer,) = registry.manifest("notes", "v1").layers
    assert registry.blob("notes", layer.digest) == b"salt, bread\n"


def test_it_pulls_what_the_test_pushed(registry, client):
    registry.push_artifact("notes:v1", "application/vnd.example.notes", {"notes.txt": "salt, bread\n"})
    (path,) = client.pull(f"{registry.host}/notes:v1", outdir="pulled")
    with open(path) as file:
        assert file.read() == "salt, bread\n"


def test_it_pushes_in_chunks(registry, client):
    push(client, registry, "notes:v1", "x" * 2500, do_chunked=True, chunk_size=1000)
    chunks = registry.requests.where(lambda request: request.method == "PATCH" and request.body_size > 2)
    assert [request.body_size for request in chunks] == [1000, 1000, 500]


def test_it_lists_all_tags_of_a_registry_that_pages(registry, client):
    for number in range(25):
        registry.push_image(f"notes:v{number:02}")
    registry.use("quirk-pages", default=10, most=20)
    registry.use("quirk-location", form="absolute")
    assert client.get_tags(f"{registry.host}/notes") == [f"v{number:02}" for number in range(25)]


def test_it_tries_again_after_500(registry, client):
    registry.fail(times=2, status=500)
    push(client, registry, "notes:v1")
    assert registry.tags("notes") == ["v1"]
    assert [request.status for request in registry.requests[:3]] == [500, 500, 404]


def test_it_tries_again_after_the_connection_broke(registry, client):
    registry.push_artifact("notes:v1", "application/vnd.example.notes", {"notes.txt": "salt, bread\n"})
    registry.cut(at=10, path="*/manifests/*", times=1)
    assert client.pull(f"{registry.host}/notes:v1", outdir="pulled")


@pytest.mark.parametrize("status", [429, 503])
def test_it_does_not_try_again_after_429_and_503_and_says_so(registry, client, status):
    registry.fail(times=1, status=status, path="*/manifests/*", headers={"Retry-After": "1"})
    with pytest.raises(ValueError, match=r"(?i)issue with .*/manifests/v1"):
        push(client, registry, "notes:v1")


def test_it_takes_either_form_of_location(registry, client):
    for tag, form in (("v1", "relative"), ("v2", "absolute")):
        registry.use("quirk-location", form=form)
        push(client, registry, f"notes:{tag}", content=form)
    assert registry.tags("notes") == ["v1", "v2"]


@pytest.mark.registry(users={"alice": "secret"}, token=True, policy=[{"allow": "*", "who": "user:alice"}])
def test_it_gets_tokens_and_hides_them_from_the_host_that_has_the_blobs(registry, client):
    client = OrasClient(hostname=registry.host, insecure=True, auth_backend="token")
    client.auth.set_basic_auth("alice", "secret")
    registry.push_artifact("notes:v1", "application/vnd.example.notes", {"notes.txt": "salt, bread\n"})
    assert client.pull(f"{registry.host}/notes:v1", outdir="pulled")
    assert registry.requests.where(lambda request: request.path == "/auth/token" and request.user == "alice")
    elsewhere = registry.redirect_blobs()
    assert client.pull(f"{registry.host}/notes:v1", outdir="pulled")
    assert {request.status for request in elsewhere.requests} == {200}
    client.session.close()


@pytest.mark.registry(tls=True)
@pytest.mark.usefixtures("client")
def test_it_refuses_a_certificate_that_it_cannot_check(registry):
    with pytest.raises(requests.exceptions.SSLError):
        OrasClient(hostname=registry.host).get_tags(f"{registry.host}/notes")

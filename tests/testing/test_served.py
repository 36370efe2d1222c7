"""The registry that the pytest plugin gives: what it serves, what it records, who may do what."""

from __future__ import annotations

import base64
import http.client
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.errors import BlobUnknown, ConfigurationError, ManifestUnknown, NameUnknown, RegistryErrors
from registry_wsgi.testing import content
from registry_wsgi.testing.served import ServedRegistry
from tests.wire import Client, digest_of, with_query

if TYPE_CHECKING:
    from registry_wsgi.testing.pytest_plugin import RegistryFactory

MB = 1000 * 1000


# ── what is served ────────────────────────────────────────────────────────────────────────────


def test_an_image_of_literals_is_pulled_as_it_was_pushed(served: ServedRegistry, client: Client) -> None:
    image = served.push_image("a/b:v1", layers=[b"one", {"etc/motd": b"hi", "/bin/x": "y"}])
    answer = client.manifest("a/b", "v1")
    assert (answer.digest, answer.headers["Content-Type"], answer.body) == (
        image.digest,
        image.media_type,
        image.payload,
    )
    assert answer.json() == image.manifest
    assert image.config is not None
    for descriptor in (image.config, *image.layers):
        assert len(client.blob("a/b", descriptor.digest).body) == descriptor.size
    assert client.blob("a/b", image.layers[0].digest).body == b"one"
    assert client.tags("a/b").json()["tags"] == ["v1"] == served.tags("a/b")
    assert client.catalog() == ["a/b"] == served.repositories()


def test_a_layer_of_files_is_the_same_archive_every_time() -> None:
    files = {"b": b"1", "a": "2"}
    assert content.tar_gz(files) == content.tar_gz(dict(reversed(files.items())))


def test_an_image_names_its_platform_and_its_unpacked_layers(served: ServedRegistry) -> None:
    image = served.push_image("a:v1", [{"f": "x"}], platform="linux/arm64/v8", config={"config": {"Cmd": ["/f"]}})
    assert image.config is not None
    config = served.blob("a", image.config.digest)
    assert b'"variant":"v8"' in config
    assert b'"Cmd":["/f"]' in config
    assert image.layers[0].digest.encode() not in config
    assert image.layers[0].media_type == "application/vnd.oci.image.layer.v1.tar+gzip"


def test_an_image_may_be_dockers(served: ServedRegistry, client: Client) -> None:
    image = served.push_image("a:v1", [{"f": "x"}], media_type=mediatypes.DOCKER_MANIFEST)
    assert client.manifest("a", "v1").headers["Content-Type"] == image.media_type == mediatypes.DOCKER_MANIFEST
    assert image.layers[0].media_type == "application/vnd.docker.image.rootfs.diff.tar.gzip"


def test_an_index_lists_images_by_platform(served: ServedRegistry, client: Client) -> None:
    images = {name: served.push_image("a", [name.encode()], platform=name) for name in ("linux/amd64", "linux/arm64")}
    index = served.push_index("a:v1", images)
    entries = client.manifest("a", "v1").json()["manifests"]
    assert [entry["digest"] for entry in entries] == [image.digest for image in images.values()]
    assert [entry["platform"]["architecture"] for entry in entries] == ["amd64", "arm64"]
    assert [each.digest for each in index.manifests] == [image.digest for image in images.values()]
    assert (index.config, index.layers) == (None, ())


def test_an_artifact_refers_to_its_subject(served: ServedRegistry, client: Client) -> None:
    image = served.push_image("a:v1", [b"layer"])
    artifact = served.push_artifact(
        "a", "application/vnd.example.sbom", {"sbom.json": "{ }"}, subject=image, annotations={"k": "v"}
    )
    (entry,) = client.request("GET", f"/v2/a/referrers/{image.digest}").json()["manifests"]
    assert (entry["digest"], entry["artifactType"]) == (artifact.digest, "application/vnd.example.sbom")
    assert entry["annotations"] == {"k": "v"}
    assert [each.digest for each in served.referrers("a", image.digest)] == [artifact.digest]
    assert served.blob("a", artifact.layers[0].digest) == b"{ }"


def test_what_clients_push_is_read_back(served: ServedRegistry, client: Client) -> None:
    blob = b"x" * (5 * MB)
    assert served.blob("a/b", client.push_blob("a/b", blob)) == blob
    image = served.push_image("elsewhere", [blob])
    assert image.config is not None
    client.push_blob("a/b", served.blob("elsewhere", image.config.digest))
    digest = client.push_manifest("a/b", "v2", image.payload, image.media_type)
    assert served.manifest("a/b", "v2").payload == served.manifest("a/b", digest).payload == image.payload


def test_a_chunked_body_arrives_whole(served: ServedRegistry, client: Client) -> None:
    blocks = [b"a" * 1000, b"b" * MB, b"c"]
    location = client.start_upload("a")
    assert client.request("PATCH", location, iter(blocks)).status == 202
    blob = b"".join(blocks)
    assert client.request("PUT", with_query(location, digest=digest_of(blob))).status == 201
    assert served.blob("a", digest_of(blob)) == blob


def test_what_is_not_there_is_the_registrys_own_error(served: ServedRegistry) -> None:
    served.push_blob("a", b"blob")
    with pytest.raises(NameUnknown):
        served.tags("b")
    with pytest.raises(BlobUnknown):
        served.blob("a", digest_of(b"other"))
    with pytest.raises(ManifestUnknown):
        served.manifest("a", "v1")
    other = served.push_image("other", [b"layer"])
    with pytest.raises(RegistryErrors):
        served.push_index("a:v1", [other])


def test_wrong_literals_are_refused_in_words(served: ServedRegistry) -> None:
    with pytest.raises(ValueError, match="a platform is written as"):
        served.push_image("a:v1", [], platform="linux")
    with pytest.raises(ValueError, match="an image is of the type"):
        served.push_image("a:v1", [], media_type="text/plain")
    with pytest.raises(ValueError, match="an index is of the type"):
        served.push_index("a:v1", [], media_type="text/plain")


def test_a_reference_may_begin_with_the_host(served: ServedRegistry) -> None:
    assert served.push_image(f"{served.host}/a/b:v1", []).name == "a/b"


def test_many_clients_at_once_are_served(served: ServedRegistry, client: Client) -> None:
    digest = served.push_blob("a", b"x" * MB)
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda _: client.blob("a", digest).body, range(32)))
    assert {len(body) for body in bodies} == {MB}
    assert len(served.requests) == 32


# ── what is recorded ──────────────────────────────────────────────────────────────────────────


def test_requests_and_their_answers_are_recorded(served: ServedRegistry, client: Client) -> None:
    client.request("POST", "/v2/a/blobs/uploads/?x=y", b"", {"User-Agent": "mine"})
    location = client.start_upload("a")
    client.request("PATCH", location, b"12345")
    client.request("GET", "/v2/a/tags/list")
    assert [(each.method, each.status, each.body_size) for each in served.requests] == [
        ("POST", 202, 0),
        ("POST", 202, 0),
        ("PATCH", 202, 5),
        ("GET", 404, 0),
    ]
    first, patch = served.requests[0], served.requests[2]
    assert (first.path, first.query, first.headers["user-agent"]) == ("/v2/a/blobs/uploads/", "x=y", "mine")
    assert (patch.path, patch.answer_headers["Range"]) == (location, "0-4")
    assert served.requests.where(lambda each: each.status == 404) == [served.requests[3]]


def test_events_tell_what_clients_did(served: ServedRegistry, client: Client) -> None:
    image = served.push_image("a:v1", [])
    assert served.events == []
    client.manifest("a", "v1")
    client.manifest("a", "v2")
    client.push_manifest("a", "v2", image.payload, image.media_type)
    assert [(event.action, event.repository, event.tag) for event in served.events] == [
        ("pull", "a", "v1"),
        ("push", "a", "v2"),
    ]


def test_requests_can_be_waited_for(served: ServedRegistry, client: Client) -> None:
    thread = threading.Thread(target=lambda: [client.request("GET", path) for path in ("/v2/", "/v2/_catalog")])
    thread.start()
    (request,) = served.requests.wait(1, lambda each: each.path == "/v2/_catalog", timeout=60)
    thread.join()
    assert request.status == 200
    with pytest.raises(TimeoutError, match=r"^2 of 3 after 0\.01 s; there were \[Request\(method='GET', path='/v2/'"):
        served.requests.wait(3, timeout=0.01)


def test_a_reset_makes_it_as_new(served: ServedRegistry, client: Client) -> None:
    served.push_image("a/b:v1", [b"layer"])
    client.manifest("a/b", "v1")
    served.fail()
    served.reset()
    assert (served.repositories(), served.requests, served.events) == ([], [], [])
    assert client.manifest("a/b", "v1").status == 404
    served.push_image("a/b:v2", [b"layer"])
    assert client.manifest("a/b", "v2").status == 200


# ── how it begins and ends ────────────────────────────────────────────────────────────────────


def test_it_is_ready_at_once() -> None:
    started = time.perf_counter()
    with ServedRegistry() as served:
        assert Client(served.url).request("GET", "/v2/").status == 200
        # Reported, not asserted: how fast a machine is says nothing about the project.
        print(f"the first answer came after {time.perf_counter() - started:.3f} s")


def test_it_ends_while_a_client_is_still_connected() -> None:
    served = ServedRegistry()
    address, port = served.host.split(":")
    with closing(http.client.HTTPConnection(address, int(port), timeout=60)) as connection:
        connection.connect()
        served.close()
        with suppress(ConnectionError):  # which of the two notices is a matter of chance
            connection.request("GET", "/v2/")
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            connection.getresponse()


def test_two_have_nothing_in_common(start: RegistryFactory) -> None:
    one, other = start(), start()
    one.push_image("a:v1", [])
    assert other.repositories() == []
    assert one.url != other.url


def test_other_sections_of_the_configuration_are_taken(start: RegistryFactory) -> None:
    served = start(config={"http": {"headers": {"X-Mine": ["yes"]}}})
    assert Client(served.url).request("GET", "/v2/").headers["X-Mine"] == "yes"


def test_a_mistake_in_the_configuration_leaves_nothing_behind(start: RegistryFactory) -> None:
    with pytest.raises(ConfigurationError, match="unknown key"):
        start(config={"htpp": {}})


# ── users, tokens, rules, TLS ─────────────────────────────────────────────────────────────────


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_users_have_passwords(start: RegistryFactory) -> None:
    served = start(users={"alice": "secret"})
    client = Client(served.url)
    assert client.request("GET", "/v2/").headers["WWW-Authenticate"] == 'Basic realm="registry"'
    assert client.request("GET", "/v2/", headers=basic("alice", "wrong")).status == 401
    assert client.request("GET", "/v2/", headers=basic("alice", "secret")).status == 200
    assert [(each.status, each.user) for each in served.requests] == [(401, ""), (401, ""), (200, "alice")]


def test_users_get_tokens_for_what_the_rules_allow(start: RegistryFactory) -> None:
    rules = [{"allow": "pull", "who": "*", "repositories": "public"}, {"allow": "*", "who": "user:alice"}]
    served = start(users={"alice": "secret"}, token=True, policy=rules)
    served.push_image("public:v1", [])
    client = Client(served.url)
    challenge = client.request("GET", "/v2/public/manifests/v1").headers["WWW-Authenticate"]
    assert challenge.startswith(f'Bearer realm="{served.url}/auth/token",service="registry"')

    def token(scope: str, **headers: str) -> dict[str, str]:
        answer = client.request("GET", f"/auth/token?service=registry&scope={scope}", headers=headers)
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    anonymous = token("repository:public:pull")
    alice = token("repository:private:pull,push", **basic("alice", "secret"))
    assert client.request("GET", "/v2/public/manifests/v1", headers=anonymous).status == 200
    assert client.request("POST", "/v2/private/blobs/uploads/", b"", anonymous).status in (401, 403)
    assert client.request("POST", "/v2/private/blobs/uploads/", b"", alice).status == 202


def test_a_quirk_stands_inside_access_control_and_a_fault_outside(start: RegistryFactory) -> None:
    served = start(users={"alice": "secret"})
    digest = served.push_blob("a", b"content")
    served.redirect_blobs()
    client = Client(served.url)
    assert client.blob("a", digest).status == 401
    assert client.request("GET", f"/v2/a/blobs/{digest}", headers=basic("alice", "secret")).status == 307
    served.fail(status=500)
    assert client.blob("a", digest).status == 500


def test_tls_is_trusted_by_the_authority_alone(start: RegistryFactory) -> None:
    served = start(tls=True)
    assert served.ca is not None
    assert served.url == f"https://{served.host}"
    port = int(served.host.rpartition(":")[2])
    for host in ("127.0.0.1", "localhost"):
        trusting = ssl.create_default_context(cafile=str(served.ca))
        trusting.verify_flags |= ssl.VERIFY_X509_STRICT
        with closing(http.client.HTTPSConnection(host, port, context=trusting, timeout=60)) as connection:
            connection.request("GET", "/v2/")
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"{}")
    with (
        closing(http.client.HTTPSConnection("127.0.0.1", port, timeout=60)) as connection,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        connection.request("GET", "/v2/")


def test_a_client_that_never_shakes_hands_keeps_nobody_waiting(start: RegistryFactory) -> None:
    served = start(tls=True)
    address, port = served.host.split(":")
    with closing(http.client.HTTPConnection(address, int(port), timeout=60)) as silent:
        silent.connect()
        trusting = ssl.create_default_context(cafile=str(served.ca))
        with closing(http.client.HTTPSConnection(address, int(port), context=trusting, timeout=60)) as connection:
            connection.request("GET", "/v2/")
            assert connection.getresponse().status == 200


WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({missing!r}))
from registry_wsgi.testing.served import ServedRegistry
with ServedRegistry() as served:
    served.push_image("a:v1", [b"layer"])
for options in {options!r}:
    try:
        ServedRegistry(**options)
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_packages_of_extras_are_needed_by_the_variants_alone_which_say_so() -> None:
    missing = ["cryptography", "bcrypt"]
    program = WITHOUT.format(missing=missing, options=[{"tls": True}, {"users": {"a": "b"}}])
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.splitlines() == [
        "ConfigurationError tls: needs the package cryptography, which is not installed; install registry-wsgi[pytest]",
        "ConfigurationError users: needs the package bcrypt, which is not installed; install registry-wsgi[pytest]",
    ]

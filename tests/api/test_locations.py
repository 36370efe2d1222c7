"""URLs that the registry hands out: right below a script name, a prefix, another host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from webtest import TestApp

from registry_wsgi import config, mediatypes
from registry_wsgi.app import build
from tests import storages
from tests.api.inprocess import InProcess, in_memory_stack
from tests.stack import image_manifest
from tests.wire import digest_of, with_query

if TYPE_CHECKING:
    from registry_wsgi.interfaces import WSGIApplication

CONTENT = b"{}"
DIGEST = digest_of(CONTENT)
IMAGE = image_manifest(DIGEST)


class Relay(InProcess):
    """A client that goes where it is told: below the same script name, and with what is `outside` taken off."""

    def __init__(self, app: TestApp, script_name: str = "", outside: str = "") -> None:
        super().__init__(app, {"SCRIPT_NAME": script_name} if script_name else {})
        self.outside = outside

    def request(self, method: str, target: str, *rest: Any, **options: Any) -> Any:
        assert target.startswith(self.outside)
        return super().request(method, target.removeprefix(self.outside), *rest, **options)


def locations(client: InProcess, root: str) -> list[str]:
    """Return every Location and Link of a push to `a` and `b` at `root`, each of which is followed."""
    found = [client.request("POST", f"{root}/v2/a/blobs/uploads/", b"").headers["Location"]]
    found.append(client.request("PATCH", found[-1], CONTENT).headers["Location"])
    found.append(client.request("GET", found[-1]).headers["Location"])
    found.append(client.request("PUT", with_query(found[-1], digest=DIGEST), b"").headers["Location"])
    assert client.request("GET", found[-1]).body == CONTENT
    mounted = client.request("POST", f"{root}/v2/b/blobs/uploads/?mount={DIGEST}&from=a", b"")
    found.append(mounted.headers["Location"])
    assert client.request("GET", found[-1]).body == CONTENT
    for tag in ("v1", "v2"):
        headers = {"Content-Type": mediatypes.OCI_MANIFEST}
        pushed = client.request("PUT", f"{root}/v2/a/manifests/{tag}", IMAGE, headers)
    found.append(pushed.headers["Location"])
    assert client.request("GET", found[-1]).body == IMAGE
    for target in ("/v2/a/tags/list?n=1", "/v2/_catalog?n=1"):
        found.append(client.request("GET", root + target).headers["Link"].partition(">")[0].lstrip("<"))
        assert client.request("GET", found[-1]).status == 200
    return found


def built(**http: object) -> WSGIApplication:
    return build(config.load({"storage": storages.new_section(), "http": http}))


def test_locations_are_paths_without_a_host() -> None:
    assert all(location.startswith("/v2/") for location in locations(InProcess(in_memory_stack()), ""))


def test_locations_are_below_the_script_name() -> None:
    client = Relay(in_memory_stack(), script_name="/deep/app", outside="/deep/app")
    assert all(location.startswith("/deep/app/v2/") for location in locations(client, "/deep/app"))


def test_a_script_name_of_two_slashes_leads_to_no_other_host() -> None:
    location = Relay(in_memory_stack(), "//evil.example").start_upload("a")
    assert location.startswith("/evil.example/v2/a/blobs/uploads/")


def test_locations_are_below_the_prefix() -> None:
    client = InProcess(TestApp(built(prefix="/docker/")))
    assert all(location.startswith("/docker/v2/") for location in locations(client, "/docker"))


def test_nothing_is_outside_of_the_prefix() -> None:
    client = InProcess(TestApp(built(prefix="/docker/")))
    for path in ("/v2/", "/docker", "/dockerv2/", "/other/v2/"):
        answer = client.request("GET", path)
        assert (answer.status, answer.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize("prefix", ["", "/docker"])
def test_locations_begin_with_the_configured_host(prefix: str) -> None:
    app = TestApp(built(host="https://registry.example", **({"prefix": f"{prefix}/"} if prefix else {})))
    client = Relay(app, outside="https://registry.example")
    found = locations(client, f"https://registry.example{prefix}")
    assert all(location.startswith(f"https://registry.example{prefix}/v2/") for location in found)


def test_locations_have_the_requests_own_host_where_they_shall_not_be_relative() -> None:
    client = InProcess(TestApp(built(relativeurls=False)))
    assert all(location.startswith("http://localhost/v2/") for location in locations(client, ""))


@pytest.mark.parametrize("host", ["", "a b", "x/../y", "u@x:99999", "[::1", "a..b", "." * 70])
def test_a_host_header_that_names_no_host_leaves_locations_relative(host: str) -> None:
    client = InProcess(TestApp(built(relativeurls=False)))
    answer = client.request("POST", "/v2/a/blobs/uploads/", b"", {"Host": host})
    assert answer.status == 202
    assert answer.headers["Location"].startswith("/v2/a/blobs/uploads/")

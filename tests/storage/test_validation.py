"""What an operator wants of manifests: URLs of foreign layers, children of indexes."""

from __future__ import annotations

import json

import pytest
from webtest import TestApp

from registry_wsgi import mediatypes
from registry_wsgi.app import build
from registry_wsgi.config import load
from registry_wsgi.descriptor import Digest
from registry_wsgi.errors import ConfigurationError
from tests import storages
from tests.stack import image_manifest, push_blob, push_image

ABSENT = Digest.of(b"absent")
NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


def app_with(validation: dict[str, object] | None = None) -> TestApp:
    return TestApp(build(load({"storage": storages.new_section(), "validation": validation})))


def push_foreign(app: TestApp, urls: object, media_type: str = NONDISTRIBUTABLE, status: int = 201) -> str:
    """Push a manifest with one layer that is elsewhere; return the error's detail."""
    payload = json.loads(image_manifest(push_blob(app, "a", b"{}")))
    layer = {"mediaType": media_type, "size": 1, "digest": ABSENT}
    payload["layers"] = [layer if urls is None else layer | {"urls": urls}]
    headers = {"Content-Type": mediatypes.OCI_MANIFEST}
    response = app.put("/v2/a/manifests/v1", json.dumps(payload).encode(), headers=headers, status=status)
    return str(response.json["errors"][0]["detail"]) if status >= 400 else ""


def test_a_foreign_layer_need_not_be_here() -> None:
    push_foreign(app_with(), None)


def test_without_rules_no_url_is_allowed() -> None:
    assert "validation.manifests.urls" in push_foreign(app_with(), ["https://example.com/layer"], status=400)


def test_with_validation_off_every_url_is_allowed() -> None:
    push_foreign(app_with({"disabled": True}), ["https://example.com/layer"])
    push_foreign(app_with({"enabled": False}), ["gopher://example.com"])


RULES = {"manifests": {"urls": {"allow": [r"^https?://([^/]+\.)*example\.com/"], "deny": [r"/secret/"]}}}


@pytest.mark.parametrize("url", ["https://example.com/a", "http://cdn.example.com/b?c=d"])
def test_an_allowed_url_may_be(url: str) -> None:
    push_foreign(app_with(RULES), [url])


@pytest.mark.parametrize(
    "urls",
    [
        ["https://example.org/a"],
        ["https://example.com/secret/a"],
        ["https://example.com/a", "https://example.org/a"],
        ["https://example.com/a#fragment"],
        ["ftp://example.com/a"],
        ["/example.com/a"],
        ["https://[::1/a"],
        [1],
        "https://example.com/a",
    ],
)
def test_another_url_is_refused(urls: object) -> None:
    assert "url" in push_foreign(app_with(RULES), urls, status=400).lower()


def test_a_docker_foreign_layer_needs_a_url() -> None:
    assert "no urls" in push_foreign(app_with(RULES), None, mediatypes.DOCKER_FOREIGN_LAYER, status=400)


def test_a_layer_that_is_not_foreign_must_be_here_whatever_its_urls() -> None:
    media_type = "application/vnd.oci.image.layer.v1.tar"
    assert push_foreign(app_with(RULES), ["https://example.com/a"], media_type, status=400) == ABSENT


def test_patterns_are_matched_in_linear_time() -> None:
    rules = {"manifests": {"urls": {"allow": ["(a+)+$"]}}}
    push_foreign(app_with(rules), ["https://example.com/" + "a" * 5000 + "!"], status=400)


def test_a_pattern_that_is_none_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match=r"validation\.manifests\.urls\.allow: not a regular expression"):
        app_with({"manifests": {"urls": {"allow": ["("]}}})


def push_index(app: TestApp, *platforms: tuple[str, str], status: int) -> None:
    """Push an index of children that are not here, but for one."""
    present = push_image(app, "a", "child", b"{}")
    children = [{"mediaType": mediatypes.OCI_MANIFEST, "size": 1, "digest": present}]
    for architecture, system in platforms:
        platform = {"architecture": architecture, "os": system}
        children.append({"mediaType": mediatypes.OCI_MANIFEST, "size": 1, "digest": ABSENT, "platform": platform})
    index = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": children}
    headers = {"Content-Type": mediatypes.OCI_INDEX}
    app.put("/v2/a/manifests/v1", json.dumps(index).encode(), headers=headers, status=status)


def test_all_children_of_an_index_must_be_here_unless_configured() -> None:
    push_index(app_with(), status=201)
    push_index(app_with(), ("amd64", "linux"), status=400)
    push_index(app_with({"manifests": {"indexes": {"platforms": "none"}}}), ("amd64", "linux"), status=201)


def test_only_the_children_of_listed_platforms_must_be_here() -> None:
    listed = {"platforms": "list", "platformlist": [{"architecture": "amd64", "os": "linux"}]}
    app = app_with({"manifests": {"indexes": listed}})
    push_index(app, ("arm64", "linux"), status=201)
    push_index(app, ("amd64", "linux"), status=400)

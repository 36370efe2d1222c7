"""Small requests that ask for much work: each has a bound, told here as a count."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.api.negotiation import _accepts, accepts
from registry_wsgi.descriptor import Digest
from tests import storages
from tests.stack import CountingDriver, image_manifest, push_blob, push_image, stack_over

if TYPE_CHECKING:
    from webtest import TestApp


@pytest.fixture
def driver() -> CountingDriver:
    return CountingDriver(storages.new_driver())


@pytest.fixture
def app(driver: CountingDriver) -> TestApp:
    return stack_over(driver)


def test_a_manifest_that_an_index_names_a_thousand_times_is_read_once(app: TestApp, driver: CountingDriver) -> None:
    child = {"mediaType": mediatypes.OCI_MANIFEST, "size": 1, "digest": push_image(app, "a", "v1", b"{}")}
    index = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": [child] * 1000}
    payload = json.dumps(index).encode()
    driver.taken()
    headers = {"Content-Type": mediatypes.OCI_INDEX}
    app.put(f"/v2/a/manifests/{Digest.of(payload)}", payload, headers=headers, status=201)
    assert driver.taken().count("reader data") == 1


def test_a_layer_that_a_manifest_names_a_thousand_times_is_looked_up_once(app: TestApp, driver: CountingDriver) -> None:
    config, layer = push_blob(app, "a", b"{}"), push_blob(app, "a", b"layer")
    payload = image_manifest(config, *[layer] * 1000)
    driver.taken()
    url = f"/v2/a/manifests/{Digest.of(payload)}"
    app.put(url, payload, headers={"Content-Type": mediatypes.OCI_MANIFEST}, status=201)
    assert driver.taken().count("get_content link") == 2


def test_each_missing_layer_is_named_once(app: TestApp) -> None:
    config = push_blob(app, "a", b"{}")
    payload = image_manifest(config, *[Digest.of(b"missing")] * 1000)
    answer = app.put("/v2/a/manifests/v1", payload, headers={"Content-Type": mediatypes.OCI_MANIFEST}, status=400)
    assert [error["detail"] for error in answer.json["errors"]] == [Digest.of(b"missing")]


def test_a_hundred_tags_can_be_put_at_once_and_no_more(app: TestApp) -> None:
    payload = image_manifest(push_blob(app, "a", b"{}"))
    headers = {"Content-Type": mediatypes.OCI_MANIFEST}

    def push(count: int, status: int) -> TestApp:
        query = "&".join(f"tag=v{number}" for number in range(count))
        return app.put(f"/v2/a/manifests/{Digest.of(payload)}?{query}", payload, headers=headers, status=status)

    assert push(101, 414).json["errors"][0]["code"] == "MANIFEST_INVALID"
    app.get(f"/v2/a/manifests/{Digest.of(payload)}", status=404)
    assert len(push(100, 201).headers["OCI-Tag"].split(", ")) == 100


def test_an_accept_header_of_400_kilobytes_is_heeded_and_not_remembered() -> None:
    _accepts.cache_clear()
    padding = ", ".join(f"application/vnd.{number}" for number in range(15_000))
    assert len(padding) > 300_000
    assert accepts(f"{padding}, {mediatypes.OCI_MANIFEST}", mediatypes.OCI_MANIFEST)
    assert not accepts(padding, mediatypes.OCI_MANIFEST)
    assert _accepts.cache_info().currsize == 0
    assert accepts(mediatypes.OCI_MANIFEST, mediatypes.OCI_MANIFEST)
    assert _accepts.cache_info().currsize == 1

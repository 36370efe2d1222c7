"""Deletes that come in the middle of a push: whatever the order, no tag is left that is listed and cannot be got."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.descriptor import Digest
from registry_wsgi.drivers.delegate import DelegatingDriver
from tests import storages
from tests.stack import image_manifest, push_blob, stack_over

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from webtest import TestApp

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

MANIFEST_TYPE = {"Content-Type": mediatypes.OCI_MANIFEST}
TAG = "/v2/a/manifests/v1"


class Interrupted(DelegatingDriver):
    """A driver during whose calls other requests run: `before` a call whose path ends so, once."""

    def __init__(self, driver: StorageDriver) -> None:
        super().__init__(driver)
        self._waiting: list[tuple[str, str, Callable[[], object]]] = []

    def before(self, method: str, ending: str, action: Callable[[], object]) -> None:
        self._waiting.append((method, ending, action))

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        self._interrupt("put_content", path)
        super().put_content(ctx, path, content, durable=durable)

    def delete(self, ctx: Context, path: str) -> None:
        self._interrupt("delete", path)
        super().delete(ctx, path)

    def _interrupt(self, method: str, path: str) -> None:
        for waiting in list(self._waiting):
            if waiting[0] == method and path.endswith(waiting[1]):
                self._waiting.remove(waiting)
                waiting[2]()


@pytest.fixture
def driver(tmp_path: Path) -> Interrupted:
    return Interrupted(storages.driver_at(tmp_path))


@pytest.fixture
def app(driver: Interrupted) -> TestApp:
    return stack_over(driver)


@pytest.fixture
def payload(app: TestApp) -> bytes:
    return image_manifest(push_blob(app, "a", b"{}"))


def push(app: TestApp, payload: bytes) -> None:
    app.put(TAG, payload, headers=MANIFEST_TYPE, status=201)


def tags_that_are_whole(app: TestApp) -> list[str]:
    """Return the tags, having got every one of them."""
    tags: list[str] = app.get("/v2/a/tags/list").json["tags"]
    for tag in tags:
        app.get(f"/v2/a/manifests/{tag}", status=200)
    return tags


def test_a_tag_that_is_deleted_between_its_two_links_stands_after_the_push(
    app: TestApp, driver: Interrupted, payload: bytes
) -> None:
    history = f"/v1/index/{Digest.of(payload).replace(':', '/')}/link"
    driver.before("put_content", history, lambda: app.delete(TAG, status=202))
    push(app, payload)
    assert tags_that_are_whole(app) == ["v1"]


def test_a_manifest_that_is_deleted_before_it_is_tagged_stands_after_the_push(
    app: TestApp, driver: Interrupted, payload: bytes
) -> None:
    url = f"/v2/a/manifests/{Digest.of(payload)}"
    driver.before("put_content", "/v1/current/link", lambda: app.delete(url, status=202))
    push(app, payload)
    assert tags_that_are_whole(app) == ["v1"]


def test_a_tag_that_is_put_while_its_manifest_is_deleted_goes_with_it(
    app: TestApp, driver: Interrupted, payload: bytes
) -> None:
    digest = Digest.of(payload)
    app.put(f"/v2/a/manifests/{digest}", payload, headers=MANIFEST_TYPE, status=201)
    driver.before("delete", f"/revisions/{digest.replace(':', '/')}/link", lambda: push(app, payload))
    app.delete(f"/v2/a/manifests/{digest}", status=202)
    assert tags_that_are_whole(app) == []

"""What a collection has to do over any driver, for the tests of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.errors import PathBusy
from registry_wsgi.storage import paths
from registry_wsgi.storage.garbage import collect
from registry_wsgi.storage.registry import Registry
from tests.stack import push_blob, push_image, stack_over

if TYPE_CHECKING:
    from registry_wsgi.interfaces import StorageDriver


def check_collection_over(driver: StorageDriver) -> None:
    app, registry = stack_over(driver), Registry(driver)
    digest = push_image(app, "a", "v1", b"{}", b"layer")
    untagged = push_image(app, "a", "v2", b"{}", b"another")
    app.delete("/v2/a/manifests/v2", status=202)
    unused = push_blob(app, "a", b"unused")
    app.post(f"/v2/b/c/blobs/uploads/?mount={unused}&from=a", status=201)
    held = driver.writer(Context(), paths.COLLECTION_TURN)
    with pytest.raises(PathBusy):
        collect(Context(), registry, grace=0, offline=True)
    held.close()
    collected = collect(Context(), registry, grace=0, offline=True, delete_untagged=True)
    assert collected.manifests == [("a", untagged)]
    assert set(collected.blobs) == {unused, untagged, Digest.of(b"another")}
    for name in ("a", "b/c"):
        app.head(f"/v2/{name}/blobs/{unused}", status=404)
    assert app.get("/v2/a/manifests/v1").headers["Docker-Content-Digest"] == digest
    assert app.get(f"/v2/a/blobs/{Digest.of(b'layer')}").body == b"layer"
    assert push_blob(app, "a", b"unused") == unused
    assert app.get(f"/v2/a/blobs/{unused}").body == b"unused"

"""A registry in this process: the whole stack over a driver that counts, behind webtest with its lint on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from webtest import TestApp

from registry_wsgi import mediatypes
from registry_wsgi.api.core import create_core
from registry_wsgi.descriptor import Digest
from registry_wsgi.drivers import abilities
from registry_wsgi.middleware.caching import CachingLayer
from registry_wsgi.middleware.compose import Layer, compose
from registry_wsgi.middleware.tracing import TracingLayer
from registry_wsgi.storage import paths
from registry_wsgi.storage.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from registry_wsgi.api.call import Options
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import BlobDescriptorCacheProvider, ManifestSigner, StorageDriver
    from registry_wsgi.storage.witnessed import WitnessedLinks

_CALLS = ("get_content", "put_content", "reader", "writer", "stat", "list", "move", "delete")


class CountingDriver:
    """A driver that notes every call, its name and the last word of its path, and counts the names it lists."""

    def __init__(self, driver: StorageDriver) -> None:
        self.name = driver.name
        self.calls: list[str] = []
        self.listed = 0
        self._driver = driver

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._driver, name)
        if name == "probe":
            return self._counted_probe
        if name not in _CALLS:
            return method

        def counted(ctx: Context, path: str, *arguments: Any, **options: Any) -> Any:
            if path != paths.COLLECTION_RUNNING:  # asked once in some seconds, and not for each request
                self.calls.append(f"{name} {path.rpartition('/')[2]}")
            return method(ctx, path, *arguments, **options)

        return counted

    def _counted_probe(self, path: str, content: bytes | None = None) -> Callable[[], bool] | None:
        stands = abilities.probe(self._driver, path, content)
        if stands is None:
            return None

        def counted() -> bool:
            self.calls.append(f"{'read' if content else 'see'} {path.rpartition('/')[2]}")
            return stands()

        return counted

    def list_after(self, ctx: Context, path: str, after: str, limit: int) -> list[str]:
        self.calls.append(f"list_after {path.rpartition('/')[2]}")
        names = abilities.list_after(self._driver, ctx, path, after, limit)
        self.listed += len(names)
        return names

    def taken(self) -> list[str]:
        """Return the calls since this was last asked."""
        calls, self.calls = self.calls, []
        return calls


def stack_over(
    driver: StorageDriver,
    *,
    cache: BlobDescriptorCacheProvider | None = None,
    delete_enabled: bool = True,
    options: Options | None = None,
    signer: ManifestSigner | None = None,
    responses: Mapping[str, Any] | None = None,
    believed: float = 0.0,
    witnessed: WitnessedLinks | None = None,
) -> TestApp:
    """Return a stack; with `responses`, the options of the caching layer, that layer is in it."""
    registry = Registry(
        driver, cache=cache, delete_enabled=delete_enabled, signer=signer, believed=believed, witnessed=witnessed
    )
    layers = [Layer("tracing", TracingLayer)]
    if responses is not None:
        layers.append(Layer("caching", CachingLayer, {"driver": driver, "recent": registry.recent, **responses}))
    return TestApp(compose(create_core(registry, options), layers))


def push_blob(app: TestApp, name: str, content: bytes) -> Digest:
    digest = Digest.of(content)
    app.post(f"/v2/{name}/blobs/uploads/?digest={digest}", content, status=201)
    return digest


def image_manifest(config: Digest, *layers: Digest, size: int = 1, **members: object) -> bytes:
    """Return an OCI manifest; nothing checks sizes, so one does for all."""

    def descriptor(digest: Digest, media_type: str) -> dict[str, object]:
        return {"mediaType": media_type, "size": size, "digest": digest}

    document = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_MANIFEST,
        "config": descriptor(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor(layer, "application/vnd.oci.image.layer.v1.tar") for layer in layers],
        **members,
    }
    return json.dumps(document).encode()


def push_image(app: TestApp, name: str, tag: str, *contents: bytes) -> Digest:
    """Push an image whose config and layers are `contents`; return its manifest's digest."""
    digests = [push_blob(app, name, content) for content in contents]
    payload = image_manifest(*digests)
    app.put(f"/v2/{name}/manifests/{tag}", payload, headers={"Content-Type": mediatypes.OCI_MANIFEST}, status=201)
    return Digest.of(payload)

"""A registry for the tests of a client: real, in memory, on a free port of this machine, ready at once.

    with ServedRegistry() as registry:
        image = registry.push_image("a/b:v1", layers=[b"one", {"etc/motd": "hi"}])
        registry.fail(times=1, status=429, headers={"Retry-After": "1"})
        assert my_client.pull(registry.url, "a/b", "v1").digest == image.digest

`registry_wsgi.testing.pytest_plugin` gives it as fixtures. What a test pushes and reads by these methods goes to the
storage in this process and not over HTTP, so it is neither recorded nor struck by any fault.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from registry_wsgi import config as configuration
from registry_wsgi import manifests, plugins
from registry_wsgi.app import assemble
from registry_wsgi.context import Context, Event
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.middleware.compose import Layer, Stage
from registry_wsgi.reference import Tag, parse_reference
from registry_wsgi.testing import content
from registry_wsgi.testing.elsewhere import Elsewhere
from registry_wsgi.testing.journal import Journal
from registry_wsgi.testing.loopback import LoopbackServer
from registry_wsgi.testing.recording import Recording, Request
from registry_wsgi.testing.slot import Slot
from registry_wsgi.testing.stored import StoredManifest
from registry_wsgi.testing.variants import auth_section, server_context
from registry_wsgi.wiring.layers import layers
from registry_wsgi.wiring.registry import create_registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    Subject = StoredManifest | Descriptor | None

_STORAGE = {"inmemory": {}, "delete": {"enabled": True}}


class ServedRegistry:
    """A running registry: `url`, `host`, and what the library has as `registry`.

    `requests` are those of clients, `events` what these did to repositories. With `tls` the certificate is signed by
    the authority in the PEM file `ca`. `users` are passwords by name; with `token` the registry itself gives bearer
    tokens for them. `policy` are rules as in docs/access.md, and `config` has other sections of the configuration.
    Raises ConfigurationError.
    """

    def __init__(
        self,
        *,
        users: Mapping[str, str] | None = None,
        token: bool = False,
        policy: Sequence[Mapping[str, Any]] | None = None,
        tls: bool = False,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.requests: Journal[Request] = Journal()
        self.events: Journal[Event] = Journal()
        self.ca: Path | None = None
        self._outer, self._inner = Slot(Stage.OBSERVE), Slot(Stage.ANSWER)
        self._context = None
        with ExitStack() as stack:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="registry-wsgi-")))
            sections: dict[str, Any] = {"storage": _STORAGE, **(config or {})}
            if users is not None or token or policy is not None:
                sections["auth"] = auth_section(directory, users or {}, token=token, rules=policy)
            if tls:
                self._context, self.ca = server_context(directory)
            loaded = configuration.load(sections)
            self.registry = create_registry(loaded)
            places = [Layer("faults", self._outer), Layer("quirks", self._inner)]
            ordered = sorted([*layers(loaded), *places], key=lambda layer: layer.stage)
            app = assemble(loaded, self.registry, ordered)
            server = LoopbackServer(Recording(app, self.requests, self.events), self._context)
            stack.callback(server.close)
            self.host = f"127.0.0.1:{server.port}"
            self.url = f"http{'s' if tls else ''}://{self.host}"
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End the server; what was stored is gone."""
        self._stack.close()

    def __enter__(self) -> ServedRegistry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"

    def reset(self) -> None:
        """Make it as new: nothing stored, no faults and quirks, nothing recorded."""
        self._outer.clear()
        self._inner.clear()
        ctx, driver = Context(), self.registry.driver
        for path in driver.list(ctx, "/"):
            driver.delete(ctx, path)
        self.requests.clear()
        self.events.clear()

    # ── what is stored ──

    def push_image(
        self, reference: str, layers: Sequence[content.Layer] = (), *, subject: Subject = None, **options: Any
    ) -> StoredManifest:
        """Store an image under `name:tag`, or under its digest alone where there is no tag.

        A layer is its bytes, or files by path. Other options are those of `content.image`: media_type, config,
        platform, annotations. Raises RegistryError, ValueError.
        """
        return self._pushed(reference, content.image(layers, subject=_descriptor(subject), **options))

    def push_index(
        self,
        reference: str,
        images: Mapping[str, StoredManifest] | Sequence[StoredManifest],
        *,
        subject: Subject = None,
        **options: Any,
    ) -> StoredManifest:
        """Store an index of manifests in the same repository, which may be given by platform (`linux/arm64`).

        Other options are those of `content.index`: media_type, annotations. Raises RegistryError, ValueError.
        """
        by_platform = images.items() if hasattr(images, "items") else [("", image) for image in images]
        listed = [(image.descriptor, platform) for platform, image in by_platform]
        return self._pushed(reference, content.index(listed, subject=_descriptor(subject), **options))

    def push_artifact(
        self,
        reference: str,
        artifact_type: str,
        files: Mapping[str, bytes | str] | None = None,
        *,
        subject: Subject = None,
        **options: Any,
    ) -> StoredManifest:
        """Store an artifact of files by name; with a `subject` it is a referrer of that.

        Other options are those of `content.artifact`: file_type, annotations. Raises RegistryError.
        """
        made = content.artifact(artifact_type, files or {}, subject=_descriptor(subject), **options)
        return self._pushed(reference, made)

    def push_blob(self, name: str, blob: bytes) -> Digest:
        """Store a blob and return its digest. Raises NameInvalid."""
        ctx, digest = Context(), Digest.of(blob)
        upload = self.registry.repository(name).blobs.create(ctx)
        try:
            upload.prepare(ctx)
            upload.write(blob)
            upload.commit(ctx, digest)
        finally:
            upload.close(ctx)
        return digest

    def manifest(self, name: str, reference: str) -> StoredManifest:
        """Return what a tag or a digest names. Raises ManifestUnknown."""
        ctx, repository = Context(), self.registry.repository(name)
        parsed = parse_reference(reference)
        descriptor, manifest = repository.manifests.get(ctx, repository.resolve(ctx, parsed))
        return StoredManifest(name, descriptor, manifest.content, parsed if isinstance(parsed, Tag) else "")

    def blob(self, name: str, digest: str) -> bytes:
        """Return the bytes of a blob. Raises BlobUnknown."""
        descriptor, reader = self.registry.repository(name).blobs.open(Context(), Digest.parse(digest))
        try:
            blocks, left = [], descriptor.size
            while left and (block := reader.read(left)):
                blocks.append(block)
                left -= len(block)
            return b"".join(blocks)
        finally:
            reader.close()

    def tags(self, name: str) -> list[str]:
        """Return the tags of a repository in order. Raises NameUnknown."""
        return [str(tag) for tag in self.registry.repository(name).tags.list(Context())]

    def referrers(self, name: str, subject: str) -> list[Descriptor]:
        """Return the manifests whose subject has the digest, ordered by digest."""
        return list(self.registry.repository(name).referrers(Context(), Digest.parse(subject)))

    def repositories(self) -> list[str]:
        return list(self.registry.repositories(Context()))

    def _pushed(self, reference: str, made: content.Content) -> StoredManifest:
        name, _, tag = reference.removeprefix(f"{self.host}/").partition(":")
        for blob in made.blobs:
            self.push_blob(name, blob)
        ctx, repository = Context(), self.registry.repository(name)
        descriptor = repository.manifests.put(ctx, manifests.parse(made.payload, made.media_type))
        if tag:
            repository.tags.put(ctx, Tag.parse(tag), descriptor.digest)
        return StoredManifest(name, descriptor, made.payload, tag)

    # ── faults and quirks ──

    def use(self, name: str, **options: Any) -> None:
        """Add a layer by the name that a configuration would call it by, until `reset`; the latest stands outermost.

        Layers that observe stand outside access control, the others inside. Raises ConfigurationError.
        """
        factory = plugins.load(plugins.MIDDLEWARE, name, key="name")
        plugins.check(factory, options, key=name, arguments=1)
        layer = Layer(name, factory, options, key=name)
        (self._outer if layer.stage <= Stage.OBSERVE else self._inner).add(layer)

    # YAML takes the word `on` for true, so the layers call it `methods`.

    def fail(self, *, status: int = 503, on: str = "", **options: Any) -> None:
        """Answer with an error from now on, or `times` times. Other options are those of `fault-status`."""
        self.use("fault-status", status=status, methods=on, **options)

    def slow(self, *, on: str = "", **options: Any) -> None:
        """Answer late, or slowly. Other options are those of `fault-slow`."""
        self.use("fault-slow", methods=on, **options)

    def cut(self, *, on: str = "", **options: Any) -> None:
        """Break off answers, or requests. Other options are those of `fault-cut`."""
        self.use("fault-cut", methods=on, **options)

    def redirect_blobs(self, *, status: int = 307) -> Elsewhere:
        """Send clients to another host for blobs, and return that host; it refuses who shows it credentials."""
        elsewhere = Elsewhere(self.registry, self._context)
        self._stack.callback(elsewhere.close)
        self.use("quirk-redirect", url=elsewhere.url, status=status)
        return elsewhere


def _descriptor(subject: Subject) -> Descriptor | None:
    return subject.descriptor if isinstance(subject, StoredManifest) else subject

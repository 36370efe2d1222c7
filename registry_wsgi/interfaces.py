"""Every seam of the system on one page: Protocols, no implementation.

`ctx` is explicit and comes first. Methods raise the errors of `registry_wsgi.errors`:
services raise RegistryError classes, storage drivers raise DriverError classes.
A seam that plugins fill is defined by its conformance suite in `registry_wsgi.testing`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.context import Context
    from registry_wsgi.descriptor import Descriptor, Digest
    from registry_wsgi.reference import Reference, Tag


# ── bytes at paths ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What is at a path: size in bytes (0 for a directory), time of the last change in seconds since the epoch."""

    path: str
    size: int
    modified: float
    is_directory: bool


class FileReader(Protocol):
    """A seekable stream of a stored file. `read` may return less than asked; `b""` is the end."""

    def read(self, size: int = -1, /) -> bytes: ...
    def readinto(self, buffer: memoryview, /) -> int | None: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def close(self) -> None: ...


class FileWriter(Protocol):
    """The only writer of one path. `size` counts what earlier writers appended too.

    After `commit` or `cancel` only `close` may follow; anything else raises ValueError.
    Closing is idempotent and, without a commit, keeps what was written for a later writer.
    """

    size: int

    def write(self, content: bytes | memoryview, /) -> int: ...
    def flush(self) -> None:
        """Make durable what was written so far, for a later writer to append to."""

    def commit(self) -> None:
        """Make the content durable and visible. The path stays held until `close`."""

    def cancel(self) -> None:
        """Delete the content."""

    def close(self) -> None: ...


class StorageDriver(Protocol):
    """Bytes at absolute paths. A path is `(/[A-Za-z0-9._-]+)+` without `.` and `..` components.

    All methods raise InvalidPath for another path and, where the path must exist, PathNotFound.
    """

    name: str

    def get_content(self, ctx: Context, path: str) -> bytes:
        """Return the whole file: a reader sees all of one `put_content` or nothing of it."""

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        """Write or replace the file and make its parents; `durable` means flushed before it returns."""

    def reader(self, ctx: Context, path: str, offset: int = 0) -> FileReader:
        """Return a stream from `offset`; at or past the end it is empty. A negative one raises InvalidOffset."""

    def writer(self, ctx: Context, path: str, *, append: bool = False) -> FileWriter:
        """Return a writer: of a new, empty file, or at the end of what earlier writers left.

        Appending to a missing path raises PathNotFound; a path that is being written, PathBusy.
        """

    def stat(self, ctx: Context, path: str) -> FileInfo: ...

    def list(self, ctx: Context, path: str) -> list[str]:
        """Return the absolute paths of the direct children, in any order."""

    def move(self, ctx: Context, source: str, target: str) -> None:
        """Rename a file, replacing the target in one step; durable when it returns."""

    def delete(self, ctx: Context, path: str) -> None:
        """Delete the file, or the directory with all below it."""


@runtime_checkable
class Redirecting(Protocol):
    """The ability of a driver to let clients get files from somewhere else."""

    def redirect_url(self, ctx: Context, path: str, method: str) -> str:
        """Return the URL for GET or HEAD of the file, empty where there is none. The file need not exist."""


@runtime_checkable
class OrderedLister(Protocol):
    """The ability of a driver to list a part of a directory, in order, at the cost of that part."""

    def list_after(self, ctx: Context, path: str, after: str, limit: int) -> list[str]:
        """Return the names of the first `limit` children after `after`, in byte order; fewer are all there are.

        `after` is any text, which need not be a name. The order is that of the names alone, whether files or
        directories: `a`, `a-b`, `a.b`. A change by whomever is seen at once. Raises PathNotFound.
        """


@runtime_checkable
class Probing(Protocol):
    """The ability of a driver to tell at little cost whether what was found at a path is there still."""

    def probe(self, path: str, content: bytes | None = None) -> Callable[[], bool] | None:
        """Return a function that tells whether the file is there and, where `content` is given, holds just that.

        What has changed by whomever is seen by the next call: nothing is remembered. Where it cannot tell, for
        whatever reason, the function says no. None is for a driver around another that cannot do it.
        Raises InvalidPath.
        """


@runtime_checkable
class Staging(Protocol):
    """The ability of a driver whose unfinished writes are nowhere to be seen: at a path is what was committed."""

    def stage(self, ctx: Context, path: str) -> FileWriter | None:
        """Return a writer of new content, which replaces what is at the path in the moment of its commit.

        Any number of them may write one path at once, and none can be gone on with: closed without a commit it is
        gone. None where the driver, such as one around another, cannot do that after all.
        """

    def staged(self, ctx: Context, path: str) -> FileInfo:
        """Return what `stat` would if what the path's `writer` has flushed were committed. Raises PathNotFound."""

    def abandoned(self, ctx: Context, before: float, *, dry_run: bool = False) -> Sequence[str]:
        """Give up unfinished writes to which nothing has come since `before`, and return their paths.

        `before` is in seconds since the epoch; `dry_run` only finds them.
        """


# ── descriptors remembered ────────────────────────────────────────────────────────────────────


class BlobStatter(Protocol):
    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        """Return what is known of the digest; the descriptor's own is the canonical one. Raises BlobUnknown."""


@runtime_checkable
class BlobDescriptorService(BlobStatter, Protocol):
    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        """Remember `descriptor`, whose digest is canonical, for `digest`, which may be of another algorithm."""

    def clear(self, ctx: Context, digest: Digest) -> None:
        """Forget the digest. Raises BlobUnknown where there is nothing to forget."""


class BlobAccessController(BlobDescriptorService, Protocol):
    """The descriptor service that decides what a repository may reach: no link, no blob."""

    def linked(self, ctx: Context, digest: Digest) -> bool:
        """Tell whether the repository has a link to the digest now, asking storage itself."""


class BlobDescriptorCacheProvider(BlobDescriptorService, Protocol):
    """Methods raise Unavailable while what remembers cannot be reached; the provider logs that itself, now and then."""

    def repository_scoped(self, name: str) -> BlobDescriptorService:
        """Return the service of one repository; a repository's media types stay in it. Raises NameInvalid."""


@runtime_checkable
class CacheStatistics(Protocol):
    """The ability of a cache provider to tell how it does, in numbers that only grow, of this process.

    `requests` counts the calls of `stat`, `hits` those that found something, and `errors` the calls of any method that
    what remembers did not answer.
    """

    requests: int
    hits: int
    errors: int


# ── blobs ─────────────────────────────────────────────────────────────────────────────────────


class BlobProvider(Protocol):
    def get(self, ctx: Context, digest: Digest) -> bytes:
        """Return a small blob whole, bounded by the size limit of manifests. Raises BlobUnknown."""

    def open(self, ctx: Context, digest: Digest) -> tuple[Descriptor, FileReader]:
        """Return the descriptor and a stream of the blob, after one look-up. Raises BlobUnknown."""


class BlobWriter(Protocol):
    """An upload in progress. Its state is in storage: any process may resume it by its `id`."""

    id: str
    size: int

    def prepare(self, ctx: Context, algorithm: str = ...) -> None:
        """Hold the upload and learn its size and its digests so far; `write` needs it.

        `algorithm` is the one of the digest that it is expected to be committed with.
        """

    def write(self, content: bytes | memoryview, /) -> int: ...
    def commit(self, ctx: Context, provisional: Digest) -> Descriptor:
        """Verify against the client's digest, publish, link, and return the canonical descriptor.

        Raises DigestInvalid where the content is another; the upload is then still there.
        """

    def cancel(self, ctx: Context) -> None: ...
    def close(self, ctx: Context) -> None:
        """Keep what was written for a later `resume`; idempotent."""


class BlobRedirector(Protocol):
    def url(self, ctx: Context, descriptor: Descriptor, method: str) -> str:
        """Return where a client gets a blob itself by GET or HEAD, empty where it has to come through the registry."""


class BlobIngester(Protocol):
    def create(self, ctx: Context) -> BlobWriter: ...
    def direct(self, ctx: Context, digest: Digest, instead_of: BlobWriter | None = None) -> BlobWriter | None:
        """Return a writer straight to where the blob of `digest` will be, for content that comes in one request.

        It cannot be resumed. `instead_of` is an empty upload that ends with it. None where the driver cannot do
        that, or where the canonical digest is not known yet.
        """

    def resume(self, ctx: Context, upload_id: str) -> BlobWriter:
        """Raises BlobUploadUnknown, or TooManyRequests while another request writes the upload."""

    def upload_size(self, ctx: Context, upload_id: str) -> int:
        """Return the bytes received so far, also while another request writes. Raises BlobUploadUnknown."""

    def mount(self, ctx: Context, digest: Digest, source: BlobStatter) -> Descriptor:
        """Link a blob that another repository has. Raises BlobUnknown where it has not."""


class BlobDeleter(Protocol):
    def delete(self, ctx: Context, digest: Digest) -> None:
        """Remove the link. Raises Unsupported where deletion is off, BlobUnknown."""


class BlobStore(BlobStatter, BlobProvider, BlobRedirector, BlobIngester, BlobDeleter, Protocol): ...


# ── manifests, tags, repositories ─────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Manifest:
    """A parsed manifest: the exact bytes that its digest is of, its type and what it refers to.

    Of schema 1 the payload is not what is sent: `signed` is, with the `signatures` in it; see `content`.
    """

    media_type: str
    payload: bytes
    references: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    signatures: tuple[bytes, ...] = ()
    signed: bytes = b""

    @property
    def content(self) -> bytes:
        """What a client gets."""
        return self.signed or self.payload


class ManifestService(Protocol):
    def get(self, ctx: Context, digest: Digest) -> tuple[Descriptor, Manifest]:
        """Return a stored manifest. Raises ManifestUnknown."""

    def exists(self, ctx: Context, digest: Digest) -> bool: ...
    def put(self, ctx: Context, manifest: Manifest, digest: Digest | None = None) -> Descriptor:
        """Verify that all it refers to is in the repository, store and link it; return the canonical descriptor.

        `digest` is the client's, if it named one. Raises DigestInvalid, or RegistryErrors with one
        ManifestBlobUnknown for each missing digest.
        """

    def as_schema1(
        self, ctx: Context, manifest: Manifest, tag: Tag, *, read_only: bool = False
    ) -> tuple[Descriptor, Manifest]:
        """Return a Docker schema 2 manifest as one of schema 1, for a client that knows no other; it is not stored.

        Raises ManifestUnknown where schema 1 is off, ManifestInvalid where the image cannot be written so.
        """

    def delete(self, ctx: Context, digest: Digest) -> Sequence[Tag]:
        """Remove the revision and return the tags that pointed at it, removed too.

        Raises Unsupported, ManifestUnknown.
        """


class TagService(Protocol):
    def get(self, ctx: Context, tag: Tag) -> Digest:
        """Return the digest the tag points at. Raises ManifestUnknown."""

    def put(self, ctx: Context, tag: Tag, digest: Digest) -> None: ...
    def delete(self, ctx: Context, tag: Tag) -> None:
        """Raises Unsupported, ManifestUnknown."""

    def list(self, ctx: Context, last: str = "", n: int | None = None) -> list[Tag]:
        """Return the tags after `last`, which need not exist, in ASCII order: the first `n`, or all.

        Raises NameUnknown where the repository is none.
        """


class ManifestSigner(Protocol):
    """Who verifies the signatures of schema 1 manifests that are pushed, and signs those that have none."""

    def verify(self, manifest: Manifest) -> None:
        """Raises ManifestUnverified."""

    def sign(self, payload: bytes) -> bytes:
        """Return a signature as it is stored: one JWS object in compact JSON."""


@dataclass(frozen=True, slots=True)
class SignatureArtifact:
    """A manifest that signs another one, and whose tool can verify it."""

    kind: Literal["cosign", "notation"]
    descriptor: Descriptor


class SignatureService(Protocol):
    """What signs the manifests of a repository; nothing is verified here."""

    def get(self, ctx: Context, digest: Digest) -> list[bytes]:
        """Return the signatures of a schema 1 manifest, each one JWS object, ordered by digest; empty without any."""

    def put(self, ctx: Context, digest: Digest, *signatures: bytes) -> None:
        """Add signatures to those that the manifest has."""

    def attached(self, ctx: Context, digest: Digest) -> Sequence[SignatureArtifact]:
        """Return the signature artifacts of a manifest: cosign's and Notation's."""


class Repository(Protocol):
    name: str

    @property
    def blobs(self) -> BlobStore: ...
    @property
    def manifests(self) -> ManifestService: ...
    @property
    def tags(self) -> TagService: ...
    @property
    def signatures(self) -> SignatureService: ...
    def referrers(self, ctx: Context, subject: Digest, last: str = "") -> Iterator[Descriptor]:
        """Yield the manifests whose subject is `subject`, ordered by digest, those after `last`."""

    def resolve(self, ctx: Context, reference: Reference) -> Digest:
        """Return the digest that a reference names. Raises ManifestUnknown."""


class Namespace(Protocol):
    def repository(self, name: str) -> Repository:
        """Raises NameInvalid."""

    def holder(self, ctx: Context, digest: Digest, may_pull: Callable[[str], bool]) -> Repository | None:
        """Return some repository that has the blob and that `may_pull` allows, None where none is found."""

    def repositories(self, ctx: Context, last: str = "") -> Iterator[str]:
        """Yield the names after `last`, component by component: `a`, `a/b`, `a-b`, `a.b`."""


# ── access ────────────────────────────────────────────────────────────────────────────────────


class Access(NamedTuple):
    """One thing that a request needs: an action on a resource, in the words of bearer tokens.

    `type` is `repository` or `registry`; `action` is `pull`, `push`, `delete` or `*`.
    """

    type: str
    name: str
    action: str


@dataclass(frozen=True, slots=True, eq=False)
class Grant:
    """Who asks, and what else they may: `may` answers for every repository of a list; `rule` says what decided.

    A controller that gives one caller the same Grant each time lets others remember what they make of it.
    """

    user: str
    may: Callable[[Access], bool]
    groups: tuple[str, ...] = ()
    rule: str = ""


class AccessController(Protocol):
    """Decides who may do what. A plugin in `registry_wsgi.access_controllers`; one controller may ask another."""

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
        """Return the grant of all of `access`; none asks for valid credentials alone.

        Raises Unauthorized with a WWW-Authenticate header where other credentials might do, Denied where the
        user is known and may not.
        """


@runtime_checkable
class Recalling(Protocol):
    """The ability of a controller to tell what a user may who proved a while ago who they are."""

    def recall(self, ctx: Context, user: str) -> tuple[Grant, str] | None:
        """Return the grant and a mark that changes with the user's credentials; None where they are no user now."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What is asked of a token server: scopes as they came, and whether a refresh token is wanted, or is shown."""

    scopes: tuple[str, ...] = ()
    offline: bool = False
    refresh_token: str = ""


@runtime_checkable
class TokenIssuer(Protocol):
    """The ability of a controller to be its own token server: a layer answers for it at its two paths."""

    token_path: str
    keys_path: str

    def issue(self, ctx: Context, environ: WSGIEnvironment, request: TokenRequest) -> Mapping[str, object]:
        """Return the answer to whom the environ's credentials, or the refresh token, belong.

        Raises as `authorize` does; what of the scopes they may not is left out.
        """

    def key_set(self, ctx: Context) -> Mapping[str, object]:
        """Return the public keys, as a JSON Web Key Set."""


class Authorize(Protocol):
    """A host application's own decision, in a function: an AccessController without the rest."""

    def __call__(self, environ: WSGIEnvironment, access: tuple[Access, ...], /) -> Grant: ...


class Document(Protocol):
    """A YAML file that may change while the registry runs. In a plugin's section it is the path of one."""

    path: str

    def stamp(self) -> tuple[int, ...]:
        """Return what is another after each change of the file. Raises ConfigurationError."""

    def read(self) -> object:
        """Return what the file says. Raises ConfigurationError."""


# ── events ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class EventRequest:
    """The request that an event is of; `addr` is the client's, with its port where the server tells it."""

    id: str
    addr: str
    host: str
    method: str
    useragent: str


@dataclass(frozen=True, slots=True)
class EventSource:
    """Who raised an event: the host and port of a registry, and the process."""

    addr: str
    instance_id: str


@dataclass(frozen=True, slots=True)
class Notification:
    """An event as a sink gets it. `id` is the same each time it is delivered; `time` is nanoseconds since the epoch.

    `target` is None where a tag was deleted, and `url` is empty then; `references` are what a manifest refers to, if
    the configuration asks for them.
    """

    id: str
    time: int
    action: Literal["pull", "push", "mount", "delete"]
    repository: str
    request: EventRequest
    source: EventSource
    actor: str = ""
    target: Descriptor | None = None
    tag: str = ""
    from_repository: str = ""
    url: str = ""
    references: tuple[Descriptor, ...] = ()


class EventSink(Protocol):
    """Where the events of one endpoint go. A plugin in `registry_wsgi.event_sinks`.

    The factory's attribute `in_process` says whether it has to run in the process of the host application; others
    run in a process of their own. A sink is called by one thread, with one event after the other.
    """

    in_process: bool

    def send(self, event: Notification) -> str:
        """Hand over one event, and return what the endpoint said, such as `200 OK`, to be counted; empty for nothing.

        Raises DeliveryFailed; the event is then sent again, for as long as it takes.
        """

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """Some events of one endpoint in their order, as bytes that only their writer and reader understand.

    What is `droppable` may be left out, and counted, where the backlog is long.
    """

    endpoint: str
    count: int
    content: bytes
    droppable: bool = False


@dataclass(frozen=True, slots=True)
class StoredParcel:
    """A parcel in an outbox, of which the first `sent` events have been delivered. Ids grow."""

    id: int
    count: int
    content: bytes
    sent: int


@dataclass(frozen=True, slots=True)
class EndpointStatistics:
    """Numbers of events of one endpoint since its outbox was made, and of attempts to deliver them.

    `pending` wait, `sent` are delivered, `dropped` were left out. Of attempts, `failures` are those that the endpoint
    refused, `errors` those in which it could not be reached; `statuses` count its answers by their text.
    """

    pending: int = 0
    sent: int = 0
    dropped: int = 0
    failures: int = 0
    errors: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    last_error: str = ""


class DeliveryClaim(Protocol):
    """The right to deliver what is in an outbox; it ends with `release` and with the process."""

    @property
    def files(self) -> tuple[int, ...]:
        """The file descriptors by which a child process that inherits them has the claim too."""

    def release(self) -> None: ...


class Outbox(Protocol):
    """Events on their way to endpoints, shared by all processes that raise them.

    A plugin in `registry_wsgi.event_outboxes`. It may be used from several threads, and in a forked process. Methods
    raise Unavailable where it cannot be reached, or not written.
    """

    def put(self, parcels: Sequence[Parcel]) -> None:
        """Keep all of the parcels, behind those that are there: durable when it returns.

        Raises Unavailable where there is no room, and keeps none of them then. A droppable one is left out, and
        counted, where the endpoint has half as many events waiting as it may have.
        """

    def oldest(self, endpoint: str, limit: int) -> Sequence[StoredParcel]:
        """Return the first `limit` parcels of an endpoint, in the order in which they were put."""

    def settle(self, endpoint: str, parcel: StoredParcel, sent: int) -> None:
        """Note that the first `sent` events of the parcel have been delivered; one with no others is removed."""

    def count(self, endpoint: str, counts: EndpointStatistics) -> None:
        """Add to an endpoint's statistics what happened, pending and sent apart, which are known anyway."""

    def statistics(self) -> Mapping[str, EndpointStatistics]:
        """Return the statistics of each endpoint by its name."""

    def forget(self, endpoint: str) -> int:
        """Remove an endpoint with its statistics and all that waits for it, and return how many events those were."""

    def claim(self) -> DeliveryClaim | None:
        """Return the right to deliver, or None while another process has it."""

    def close(self) -> None: ...


# ── WSGI ──────────────────────────────────────────────────────────────────────────────────────


class WSGIApplication(Protocol):
    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse, /) -> Iterable[bytes]: ...

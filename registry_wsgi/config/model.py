"""What a configuration is, once it is checked: frozen, plain data that every process can be handed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class MailHook:
    """Who gets log lines of which levels by mail, over which server; `insecure` is without TLS if need be."""

    addr: tuple[str, int]
    username: str
    password: str = field(repr=False)
    insecure: bool
    sender: str
    recipients: tuple[str, ...]
    levels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Log:
    """`fields` are added to every line. `audit` is a path, or stdout, or empty for no audit log."""

    level: str
    formatter: str
    fields: Mapping[str, object]
    accesslog_disabled: bool
    audit: str
    reportcaller: bool
    hooks: tuple[MailHook, ...]


@dataclass(frozen=True, slots=True)
class Cache:
    """The provider of the blob descriptor cache by its plugin's name, its factory's parameters, and their section."""

    provider: str
    parameters: Mapping[str, object]
    section: str = "storage.cache.blobdescriptor"


@dataclass(frozen=True, slots=True)
class UploadPurging:
    """`age` and `interval` are seconds."""

    enabled: bool
    age: float
    interval: float
    dryrun: bool


@dataclass(frozen=True, slots=True)
class Layer:
    """A WSGI layer or storage middleware by its plugin's name, its factory's parameters, and the key it stands at."""

    name: str
    options: Mapping[str, object]
    key: str


@dataclass(frozen=True, slots=True)
class Storage:
    """The storage driver by its plugin's name, its factory's parameters, and what is done over it."""

    driver: str
    parameters: Mapping[str, object]
    cache: Cache | None
    delete_enabled: bool
    readonly_enabled: bool
    uploadpurging: UploadPurging
    redirect_disable: bool
    middleware: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class TLS:
    """Paths of PEM files. With `clientca` clients must have a certificate of it."""

    certificate: str
    key: str
    clientca: str
    minimum: str


@dataclass(frozen=True, slots=True)
class LoginLimit:
    """How many failed logins an address may have in `window` seconds, counted in `file`; 0 is any number."""

    attempts: int
    window: float
    file: str


@dataclass(frozen=True, slots=True)
class Debug:
    """The address of the debug server, empty for none, and the path of metrics, empty for none.

    With `mainport` metrics are at that path of the registry's own address too.
    """

    addr: str
    metrics: str
    mainport: bool

    @property
    def interface(self) -> str:
        """The address to listen on; `:5001` is no other than loopback."""
        return self.addr.rpartition(":")[0].strip("[]") or "127.0.0.1"

    @property
    def port(self) -> int:
        return int(self.addr.rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class HTTP:
    """`addr` is a host and port or, if `net` is unix, the path of a socket. Times are seconds.

    `prefix` is empty or begins and ends with a slash; `host` is empty or an absolute URL.
    """

    net: str
    addr: str
    prefix: str
    host: str
    relativeurls: bool
    headers: Mapping[str, tuple[str, ...]]
    draintimeout: float
    tls: TLS | None
    trust_proxy_headers: bool
    loginlimit: LoginLimit
    debug: Debug

    @property
    def interface(self) -> str:
        """The address to listen on, without brackets; `:5000` is all of them."""
        return self.addr.rpartition(":")[0].strip("[]") or "0.0.0.0"  # noqa: S104 - the operator's own words

    @property
    def port(self) -> int:
        return int(self.addr.rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class Validation:
    """Patterns of URLs that foreign layers may have, and the children that indexes must: all, none or list.

    `platform_list` are pairs of architecture and operating system.
    """

    disabled: bool
    allow_urls: tuple[str, ...]
    deny_urls: tuple[str, ...]
    platforms: str
    platform_list: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Auth:
    """The access controller by its plugin's name, and its factory's parameters."""

    controller: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Schema1:
    """Whether manifests of schema 1 can be pushed, and the path of the key that signs those without signatures."""

    enabled: bool
    signingkeyfile: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who gets events: the sink by its plugin's name with its factory's parameters, and the key of the section.

    `threshold` attempts that fail in a row make it count as down; `backoff` is seconds.
    """

    name: str
    key: str
    sink: str
    parameters: Mapping[str, object]
    threshold: int
    backoff: float
    ignored_media_types: frozenset[str]
    ignored_actions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outbox:
    """Where events wait: the outbox by its plugin's name, and its factory's parameters."""

    name: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Notifications:
    """`names` are those of all endpoints, the disabled ones too, which are not among `endpoints`.

    `outbox` is None where the file says nothing of it.
    """

    endpoints: tuple[Endpoint, ...] = ()
    names: frozenset[str] = frozenset()
    include_references: bool = False
    outbox: Outbox | None = None


@dataclass(frozen=True, slots=True)
class Responses:
    """The answers that are remembered: in how many bytes, and for how many seconds where storage cannot be asked."""

    enabled: bool
    maxbytes: int
    ttl: float


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """What is looked at every `interval` seconds, and has failed when it did so `threshold` times in a row.

    `kind` is storagedriver, file, http or tcp; `target` what it is done to. `timeout` is seconds, 0 for none.
    """

    kind: str
    target: str
    interval: float
    threshold: int
    timeout: float = 0.0
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Health:
    """`live` and `ready` are paths, empty for none."""

    live: str
    ready: str
    checks: tuple[HealthCheck, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """`auth` is None where everyone may do everything. `middleware` stands in the order of the file.

    `warnings` are lines for the caller to log.
    """

    version: str
    log: Log
    storage: Storage
    http: HTTP
    auth: Auth | None
    middleware: tuple[Layer, ...]
    catalog_maxentries: int
    tags_maxtags: int
    schema1: Schema1
    validation: Validation
    notifications: Notifications
    responses: Responses
    links_ttl: float
    health: Health
    warnings: tuple[str, ...]

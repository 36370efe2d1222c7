"""Every key of registry:2, of registry:3 and of our own: what it may be and how far it is supported.

The table is the schema: the checks, the names of environment variables and the tests of the
manual are all read from it. In a path `[]` is each element of a list and `<driver>` any name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, Final

from registry_wsgi.config.kinds import (
    ADDRESS,
    ANYTHING,
    BOOLEAN,
    DURATION,
    ELEMENT,
    ENDPOINT,
    HEADERS,
    INTEGER,
    MAILBOX,
    MAPPING,
    NAME,
    OFF_OR_PATH,
    PATH,
    PORT,
    POSITIVE,
    PREFIX,
    SECRET,
    SERVER,
    TEXT,
    URL,
    VERSION,
    Kind,
    one_of,
)


class State(Enum):
    SUPPORTED = auto()
    UNSUPPORTED = auto()  # a warning: it has no effect
    REFUSED = auto()  # an error: without it more would be open, or something else served, than the operator believes
    PART = auto()  # a key inside an unsupported or refused section, which speaks for it


def nothing(value: object) -> bool:
    """Tell whether a value is empty, false or zero all the way down: it asks for nothing."""
    if isinstance(value, Mapping):
        return all(nothing(inner) for inner in value.values())
    if isinstance(value, list):
        return all(nothing(inner) for inner in value)
    return not value


def settled(key: str, value: object) -> Callable[[Any], bool]:
    """Return a test for a section that is empty or whose `key` has the one value that asks for what is done anyway."""
    return lambda section: not section or (isinstance(section, Mapping) and section.get(key) == value)


@dataclass(frozen=True, slots=True)
class Key:
    """One row. `required` is meant within its section; `idle` tells which values ask for nothing we lack."""

    path: str
    kind: Kind = ANYTHING
    default: object = None
    state: State = State.SUPPORTED
    required: bool = False
    idle: Callable[[Any], bool] = nothing
    lacks: str = ""


def _unsupported(path: str, keys: str = "", idle: Callable[[Any], bool] = nothing) -> tuple[Key, ...]:
    return (Key(path, state=State.UNSUPPORTED, idle=idle), *_parts(path, keys))


def _each_unsupported(path: str, keys: str) -> tuple[Key, ...]:
    return tuple(Key(f"{path}.{key}", state=State.UNSUPPORTED) for key in keys.split())


def _refused(path: str, lacks: str, keys: str = "", idle: Callable[[Any], bool] = nothing) -> tuple[Key, ...]:
    return (Key(path, state=State.REFUSED, idle=idle, lacks=lacks), *_parts(path, keys))


def _parts(path: str, keys: str) -> tuple[Key, ...]:
    return tuple(Key(f"{path}.{key}", state=State.PART) for key in keys.split())


def _repeated(path: str) -> tuple[Key, ...]:
    """Return what every check of the health takes."""
    return Key(f"{path}.interval", DURATION, 10.0), Key(f"{path}.threshold", POSITIVE, 1)


_LEVEL = one_of("error", "warn", "info", "debug")

KEYS: Final[tuple[Key, ...]] = (
    Key("version", VERSION, required=True),
    Key("log.level", _LEVEL),
    Key("log.formatter", one_of("text", "json", "logstash"), "text"),
    Key("log.fields", MAPPING, {}),
    Key("log.accesslog.disabled", BOOLEAN, False),
    Key("log.audit", TEXT, ""),
    Key("log.reportcaller", BOOLEAN, False),
    Key("log.hooks[].type", one_of("mail")),
    Key("log.hooks[].disabled", BOOLEAN, False),
    Key("log.hooks[].levels[]", one_of("panic", "fatal", "error", "warn", "warning", "info", "debug", unset=())),
    Key("log.hooks[].options.smtp.addr", SERVER),
    Key("log.hooks[].options.smtp.username", TEXT, ""),
    Key("log.hooks[].options.smtp.password", SECRET, ""),
    Key("log.hooks[].options.smtp.insecure", BOOLEAN, False),
    Key("log.hooks[].options.from", MAILBOX),
    Key("log.hooks[].options.to[]", replace(MAILBOX, unset=())),
    Key("loglevel", _LEVEL),
    Key("storage.<driver>", MAPPING, {}),
    Key("storage.cache.blobdescriptor", NAME),
    Key("storage.cache.layerinfo", NAME),
    Key("storage.cache.blobdescriptorsize", INTEGER),
    Key("storage.delete.enabled", BOOLEAN, False),
    Key("storage.maintenance.readonly.enabled", BOOLEAN, False, required=True),
    Key("storage.maintenance.uploadpurging.enabled", BOOLEAN, True),
    Key("storage.maintenance.uploadpurging.age", DURATION, 168 * 3600.0),
    Key("storage.maintenance.uploadpurging.interval", DURATION, 24 * 3600.0),
    Key("storage.maintenance.uploadpurging.dryrun", BOOLEAN, False),
    Key("storage.redirect.disable", BOOLEAN, False),
    *_unsupported("storage.tag", "concurrencylimit"),
    Key("auth.<controller>", MAPPING, {}),
    Key("middleware.http[].name", TEXT, required=True),
    Key("middleware.http[].disabled", BOOLEAN, False),
    Key("middleware.http[].options", MAPPING, {}),
    *_unsupported("middleware.registry[]", "name disabled options", settled("disabled", True)),
    *_unsupported("middleware.repository[]", "name disabled options", settled("disabled", True)),
    Key("middleware.storage[].name", TEXT, required=True),
    Key("middleware.storage[].disabled", BOOLEAN, False),
    Key("middleware.storage[].options", MAPPING, {}),
    *_unsupported("reporting.bugsnag", "apikey releasestage endpoint"),
    *_unsupported("reporting.newrelic", "licensekey name verbose"),
    Key("http.addr", ADDRESS, "127.0.0.1:5000"),
    Key("http.net", one_of("tcp", "unix"), "tcp"),
    Key("http.prefix", PREFIX, ""),
    Key("http.host", URL, ""),
    Key("http.secret", ANYTHING),
    Key("http.relativeurls", BOOLEAN, True),
    Key("http.trustproxyheaders", BOOLEAN, False),
    Key("http.loginlimit.attempts", POSITIVE, 20),
    Key("http.loginlimit.window", DURATION, 60.0),
    Key("http.headers", HEADERS, {}),
    Key("http.draintimeout", DURATION, 0.0),
    Key("http.tls.certificate", TEXT, ""),
    Key("http.tls.key", TEXT, ""),
    Key("http.tls.clientcas[]", ELEMENT),
    *_refused("http.tls.clientauth", "asking clients for certificates"),
    Key("http.tls.minimumtls", one_of("tls1.2", "tls1.3"), "tls1.2"),
    *_refused("http.tls.ciphersuites", "a choice of cipher suites"),
    *_refused("http.tls.letsencrypt", "fetching certificates from Let's Encrypt", "cachefile email hosts directoryurl"),
    Key("http.debug.addr", PORT, ""),
    Key("http.debug.prometheus.enabled", BOOLEAN, False),
    Key("http.debug.prometheus.path", PATH, "/metrics"),
    Key("http.debug.prometheus.mainport", BOOLEAN, False),
    *_unsupported("http.http2", "disabled"),
    *_unsupported("http.h2c", "enabled"),
    Key("notifications.events.includereferences", BOOLEAN, False),
    Key("notifications.endpoints[].name", TEXT, ""),
    Key("notifications.endpoints[].disabled", BOOLEAN, False),
    Key("notifications.endpoints[].url", ENDPOINT, ""),
    Key("notifications.endpoints[].headers", HEADERS, {}),
    Key("notifications.endpoints[].timeout", DURATION, 0.0),
    Key("notifications.endpoints[].threshold", INTEGER, 0),
    Key("notifications.endpoints[].backoff", DURATION, 0.0),
    Key("notifications.endpoints[].ignoredmediatypes[]", ELEMENT),
    Key("notifications.endpoints[].ignore.mediatypes[]", ELEMENT),
    Key("notifications.endpoints[].ignore.actions[]", one_of("pull", "push", "mount", "delete", unset=())),
    Key("notifications.endpoints[].format", one_of("docker", "cloudevents"), ""),
    Key("notifications.endpoints[].sink", TEXT, "http"),
    Key("notifications.endpoints[].options", MAPPING, {}),
    Key("notifications.outbox.name", TEXT, ""),
    Key("notifications.outbox.path", TEXT),
    Key("notifications.outbox.maxevents", POSITIVE),
    Key("notifications.outbox.options", MAPPING, {}),
    Key("redis.addr", TEXT, ""),
    Key("redis.addrs[]", ELEMENT),
    Key("redis.mastername", TEXT, ""),
    Key("redis.sentinelusername", TEXT, ""),
    Key("redis.sentinelpassword", SECRET, ""),
    Key("redis.username", TEXT, ""),
    Key("redis.password", SECRET, ""),
    Key("redis.db", POSITIVE, 0),
    Key("redis.clientname", TEXT, ""),
    Key("redis.dialtimeout", DURATION, 0.0),
    Key("redis.readtimeout", DURATION, 0.0),
    Key("redis.writetimeout", DURATION, 0.0),
    Key("redis.pool.maxactive", POSITIVE, 0),
    Key("redis.maxactiveconns", POSITIVE, 0),
    Key("redis.poolsize", POSITIVE, 0),
    Key("redis.pooltimeout", DURATION, 0.0),
    Key("redis.tls.certificate", TEXT, ""),
    Key("redis.tls.key", TEXT, ""),
    Key("redis.tls.rootcas[]", ELEMENT),
    *_each_unsupported(
        "redis",
        "pool.maxidle pool.idletimeout minidleconns maxidleconns connmaxidletime"
        " connmaxlifetime poolfifo maxretries minretrybackoff maxretrybackoff contexttimeoutenabled protocol"
        " unstableresp3 disableidentity identitysuffix maxredirects readonly routebylatency routerandomly",
    ),
    Key("health.live", OFF_OR_PATH, "/healthz"),
    Key("health.ready", OFF_OR_PATH, "/readyz"),
    Key("health.storagedriver.enabled", BOOLEAN, False),
    *_repeated("health.storagedriver"),
    Key("health.file[].file", TEXT, required=True),
    *_repeated("health.file[]"),
    Key("health.http[].uri", URL, required=True),
    Key("health.http[].headers", HEADERS, {}),
    Key("health.http[].statuscode", POSITIVE, 200),
    Key("health.http[].timeout", DURATION, 0.0),
    *_repeated("health.http[]"),
    Key("health.tcp[].addr", SERVER, required=True),
    Key("health.tcp[].timeout", DURATION, 0.0),
    *_repeated("health.tcp[]"),
    *_refused("proxy.remoteurl", "serving another registry's content"),
    *_unsupported("proxy.username"),
    *_unsupported("proxy.password"),
    *_unsupported("proxy.ttl"),
    *_unsupported("proxy.exec", "command lifetime"),
    *_unsupported("proxy.cachewritetimeout"),
    Key("compatibility.schema1.enabled", BOOLEAN, False),
    Key("compatibility.schema1.signingkeyfile", TEXT, ""),
    *_unsupported("compatibility.schema1.disablesignaturestore"),
    Key("validation.enabled", BOOLEAN, True),
    Key("validation.disabled", BOOLEAN, False),
    Key("validation.manifests.urls.allow[]", ELEMENT),
    Key("validation.manifests.urls.deny[]", ELEMENT),
    Key("validation.manifests.indexes.platforms", one_of("all", "none", "list"), "all"),
    Key("validation.manifests.indexes.platformlist[].architecture", TEXT, required=True),
    Key("validation.manifests.indexes.platformlist[].os", TEXT, required=True),
    *_refused("policy", "limiting the classes of repositories", "repository.classes"),
    Key("catalog.maxentries", INTEGER, 1000),
    Key("cache.responses.enabled", BOOLEAN, True),
    Key("cache.responses.maxbytes", POSITIVE, 64 * 1024 * 1024),
    Key("cache.responses.ttl", DURATION, 0.0),
    Key("tags.maxtags", POSITIVE, 1000),
)

# The names of registry:2's fields, which its environment variables go by, where the file has another.
FIELDS: Final[Mapping[str, str]] = {
    "log.hooks[].options": "mailoptions",
    "notifications.events": "eventconfig",
    "health.file": "filecheckers",
    "health.http": "httpcheckers",
    "health.tcp": "tcpcheckers",
    "compatibility.schema1.signingkeyfile": "trustkey",
}

# `storage: inmemory` is `storage: {inmemory: {}}`.
BARE: Final = frozenset({"storage", "auth"})


@dataclass(slots=True)
class Node:
    """A place in the tree of keys: a section with `children` and `other` names, a list of `items`, or a leaf."""

    path: str = ""
    key: Key | None = None
    children: dict[str, Node] = field(default_factory=dict)
    other: Node | None = None
    items: Node | None = None

    def child(self, name: str) -> Node | None:
        return self.children.get(name) or self.other

    def is_open(self) -> bool:
        return self.key is not None and self.key.kind.open and not (self.children or self.items)


def _tree() -> Node:
    root = Node()
    for key in KEYS:
        node = root
        for word in key.path.replace("[]", ".[]").split("."):
            node = _grown(node, word)
        node.key = key
    return root


def _grown(node: Node, word: str) -> Node:
    if word == "[]":
        node.items = node.items or Node(f"{node.path}[]")
        return node.items
    path = f"{node.path}.{word}".lstrip(".")
    if word.startswith("<"):
        node.other = node.other or Node(path)
        return node.other
    return node.children.setdefault(word, Node(path))


TREE: Final = _tree()

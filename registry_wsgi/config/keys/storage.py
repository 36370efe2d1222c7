"""The sections `storage`, and `cache`: what is remembered of answers."""

from __future__ import annotations

from typing import Final

from registry_wsgi.config.key import REGISTRY_3, Key, ours, since_3, unsupported
from registry_wsgi.config.kinds import BOOLEAN, DURATION, INTEGER, MAPPING, NAME, POSITIVE

KEYS: Final = (
    Key(
        "storage.<driver>",
        (
            "exactly one storage driver with its parameters, see [storage drivers](configuration.md#storage-drivers); "
            "`storage: inmemory` is short for one without parameters"
        ),
        MAPPING,
        {},
    ),
    Key(
        "storage.cache.blobdescriptor",
        (
            "the cache of blob descriptors: `inmemory`, the name of an installed plugin such as `redis`, or "
            "empty for none; see [which cache](configuration.md#which-cache)"
        ),
        NAME,
    ),
    Key("storage.cache.layerinfo", "deprecated name of `blobdescriptor`; a warning", NAME),
    since_3(
        "storage.cache.blobdescriptorsize",
        "how many descriptors the cache `inmemory` holds; 0 or less for no limit",
        INTEGER,
        otherwise="`10000`",
    ),
    Key("storage.delete.enabled", "whether blobs, manifests and tags can be deleted", BOOLEAN, False),
    Key(
        "storage.maintenance.readonly.enabled",
        "whether everything that writes is refused; required if the section is there",
        BOOLEAN,
        False,
        required=True,
        otherwise="`false`",
    ),
    Key(
        "storage.maintenance.uploadpurging.enabled",
        (
            "whether `registry-wsgi serve` deletes uploads that nobody will finish; under other servers run "
            "`registry-wsgi purge-uploads`"
        ),
        BOOLEAN,
        True,
    ),
    Key(
        "storage.maintenance.uploadpurging.age",
        "how long nothing was written to an upload that is deleted",
        DURATION,
        168 * 3600.0,
    ),
    Key(
        "storage.maintenance.uploadpurging.interval",
        "how often; of several processes one purges at a time",
        DURATION,
        24 * 3600.0,
    ),
    Key("storage.maintenance.uploadpurging.dryrun", "only log what would be deleted", BOOLEAN, False),
    Key(
        "storage.redirect.disable",
        (
            "whether blobs always come through the registry, where the driver or a middleware could send "
            "clients to them with a 307"
        ),
        BOOLEAN,
        False,
    ),
    *unsupported("storage.tag", "concurrencylimit", releases=REGISTRY_3, meaning="how many tags are looked up at once"),
    ours(
        "cache.responses.enabled",
        "whether answers are [remembered](configuration.md#remembered-answers)",
        BOOLEAN,
        True,
    ),
    ours(
        "cache.responses.maxbytes",
        "the bytes of memory for that, in each server process; 1048576 or more",
        POSITIVE,
        64 * 1024 * 1024,
    ),
    ours(
        "cache.responses.ttl",
        "how long a link that was seen is believed where each look at storage is a call, as with S3; 0 is not at all",
        DURATION,
        1.0,
    ),
    ours(
        "cache.links.ttl",
        "how long the link of a layer that one process saw is believed by all that share a Redis, where each look at "
        "storage is a call; deletes are [told through it](scaling.md#deletes); 0 is not at all",
        DURATION,
        60.0,
    ),
)

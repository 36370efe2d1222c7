"""What may be pushed, what lists show, and what others' content would be: the small sections."""

from __future__ import annotations

from typing import Final

from registry_wsgi.config.key import REGISTRY_2, REGISTRY_3, Key, only_2, refused, since_3, unsupported
from registry_wsgi.config.kinds import BOOLEAN, FILE, INTEGER, PATTERN, POSITIVE, TEXT, one_of

KEYS: Final = (
    *refused("proxy.remoteurl", "serving another registry's content"),
    *unsupported("proxy.username", meaning="the name to log in with there"),
    *unsupported("proxy.password", meaning="… and the password"),
    *unsupported("proxy.ttl", releases=REGISTRY_3, meaning="how long its content is kept"),
    *unsupported("proxy.exec", "command lifetime", releases=REGISTRY_3, meaning="a program that knows the password"),
    *unsupported("proxy.cachewritetimeout", releases=REGISTRY_3, meaning="how long storing it may take"),
    only_2(
        "compatibility.schema1.enabled",
        (
            "whether manifests of [schema 1](schema1.md) can be pushed, and schema 2 is converted for clients"
            " that know no other; needs the extra `schema1`"
        ),
        BOOLEAN,
        False,
    ),
    only_2(
        "compatibility.schema1.signingkeyfile",
        (
            "the private key that signs schema 1 manifests without signatures, PEM or JWK, EC or RSA; without"
            " one a new key is made at each start"
        ),
        FILE,
        "",
        otherwise="none",
    ),
    *unsupported(
        "compatibility.schema1.disablesignaturestore",
        releases=REGISTRY_2,
        meaning="whether signatures are not kept: here they always are",
    ),
    Key("validation.enabled", "deprecated; `false` is `validation.disabled: true`", BOOLEAN, True),
    Key("validation.disabled", "whether the URLs of foreign layers are left unchecked", BOOLEAN, False),
    Key(
        "validation.manifests.urls.allow[]",
        (
            "a foreign layer's URL must match one of these, anywhere in it; without any, no URL is allowed. "
            "Patterns are RE2's and need the extra `validation`"
        ),
        PATTERN,
    ),
    Key("validation.manifests.urls.deny[]", "… and none of these", PATTERN),
    since_3(
        "validation.manifests.indexes.platforms",
        "which manifests of an index must be in the repository when it is pushed",
        one_of("all", "none", "list"),
        "all",
    ),
    since_3(
        "validation.manifests.indexes.platformlist[].architecture",
        "a platform of the `list`, such as `amd64`",
        TEXT,
        required=True,
    ),
    since_3("validation.manifests.indexes.platformlist[].os", "… such as `linux`", TEXT, required=True),
    *refused("policy", "limiting the classes of repositories", "repository.classes"),
    Key("catalog.maxentries", "the most repositories on one page of the catalog; 0 or less is 1000", INTEGER, 1000),
    since_3("tags.maxtags", "the most tags on one page of a list; 0 is 1000, less is an error", POSITIVE, 1000),
)

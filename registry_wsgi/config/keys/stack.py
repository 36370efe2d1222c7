"""What plugins are around the core: `auth`, `middleware`; and `reporting`."""

from __future__ import annotations

from typing import Final

from registry_wsgi.config.key import REGISTRY_2, Key, ours, settled, unsupported
from registry_wsgi.config.kinds import BOOLEAN, MAPPING, TEXT

KEYS: Final = (
    Key(
        "auth.<controller>",
        (
            "the access controller with its parameters, one at most, see "
            "[access controllers](configuration.md#access-controllers); `none` is as good as no `auth`"
        ),
        MAPPING,
        {},
    ),
    ours("middleware.http[].name", "a WSGI layer by the name of its plugin, the outermost first", TEXT, required=True),
    ours("middleware.http[].disabled", "whether the layer is left out", BOOLEAN, False),
    ours("middleware.http[].options", "the options of the layer", MAPPING, {}),
    *unsupported(
        "middleware.registry[]",
        "name disabled options",
        settled("disabled", True),
        meaning="middleware around the namespace; no warning with `disabled: true`",
    ),
    *unsupported(
        "middleware.repository[]",
        "name disabled options",
        settled("disabled", True),
        meaning="middleware around each repository; no warning with `disabled: true`",
    ),
    Key(
        "middleware.storage[].name",
        "a [middleware](configuration.md#storage-middlewares) around the storage driver, the innermost first",
        TEXT,
        required=True,
    ),
    Key("middleware.storage[].disabled", "whether it is left out", BOOLEAN, False),
    Key("middleware.storage[].options", "its options", MAPPING, {}),
    *unsupported(
        "reporting.bugsnag", "apikey releasestage endpoint", releases=REGISTRY_2, meaning="errors reported to Bugsnag"
    ),
    *unsupported(
        "reporting.newrelic", "licensekey name verbose", releases=REGISTRY_2, meaning="times reported to New Relic"
    ),
)

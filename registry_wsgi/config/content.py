"""The sections `validation` and `compatibility`: which manifests are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry_wsgi.config.model import Schema1, Validation

if TYPE_CHECKING:
    from registry_wsgi.config.findings import Findings


def read_validation(section: dict[str, Any]) -> Validation:
    urls, indexes = section["manifests"]["urls"], section["manifests"]["indexes"]
    return Validation(
        disabled=section["disabled"] or not section["enabled"],
        allow_urls=tuple(urls["allow"]),
        deny_urls=tuple(urls["deny"]),
        platforms=indexes["platforms"],
        platform_list=tuple((each["architecture"], each["os"]) for each in indexes["platformlist"]),
    )


def read_schema1(section: dict[str, Any], findings: Findings) -> Schema1:
    if section["signingkeyfile"] and not section["enabled"]:
        findings.warnings.append(
            "compatibility.schema1.signingkeyfile has an effect only with compatibility.schema1.enabled"
        )
    return Schema1(section["enabled"], section["signingkeyfile"])

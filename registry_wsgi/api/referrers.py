"""`/v2/<name>/referrers/<digest>`: what refers to a manifest (end-12a, end-12b)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from registry_wsgi import mediatypes
from registry_wsgi.api.respond import Answer, json_answer
from registry_wsgi.descriptor import Digest

if TYPE_CHECKING:
    from registry_wsgi.api.call import Call

_LARGEST_PAGE = 4 * 1024 * 1024 - 1024
"""Bytes of descriptors on a page: with the index around them it is no larger than a manifest may be."""
_MOST_ENTRIES = 1000


def get(call: Call) -> Answer:
    """Return an index of the referrers, of one artifact type if the query asks for one; empty where there are none."""
    subject = Digest.parse(call.argument)
    wanted = call.query("artifactType")
    page, last = _page(call, subject, wanted)
    headers = {"Content-Type": mediatypes.OCI_INDEX}
    if wanted:
        headers["OCI-Filters-Applied"] = "artifactType"
    if last:
        query = {"artifactType": wanted, "last": last} if wanted else {"last": last}
        headers["Link"] = call.locations.next_page(f"/v2/{call.repository.name}/referrers/{subject}", query)
    index = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": page}
    return json_answer(index, headers)


def _page(call: Call, subject: Digest, wanted: str) -> tuple[list[dict[str, object]], str]:
    """Return the entries of a page, and the last one's digest if more follow."""
    page: list[dict[str, object]] = []
    size, last = 0, ""
    for descriptor in call.repository.referrers(call.ctx, subject, call.query("last")):
        if wanted and descriptor.extra.get("artifactType") != wanted:
            continue
        entry = descriptor.to_dict()
        size += len(json.dumps(entry)) + 1
        if page and (size > _LARGEST_PAGE or len(page) == _MOST_ENTRIES):
            return page, last
        page.append(entry)
        last = descriptor.digest
    return page, ""


METHODS = {"GET": get, "HEAD": get}

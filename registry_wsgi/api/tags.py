"""`/v2/<name>/tags/list` (end-8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.api.pages import page_size
from registry_wsgi.api.respond import Answer, json_answer

if TYPE_CHECKING:
    from registry_wsgi.api.call import Call


def get(call: Call) -> Answer:
    """Return the tags in ASCII order after `last`, at most `n`; with a Link where there are more."""
    name = call.repository.name
    n = page_size(call.query("n"), call.options.tags_max, clamp=True)
    found = call.repository.tags.list(call.ctx, call.query("last"), None if n is None else n + 1)
    page = found[:n]
    headers = {}
    if page and len(found) > len(page):
        headers["Link"] = call.locations.next_page(f"/v2/{name}/tags/list", {"last": page[-1], "n": len(page)})
    return json_answer({"name": name, "tags": page}, headers)


METHODS = {"GET": get, "HEAD": get}

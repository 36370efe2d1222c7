"""`/v2/_catalog`: the repositories of the registry (Docker Registry HTTP API V2, "Listing Repositories")."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from registry_wsgi.api.pages import page_size
from registry_wsgi.api.respond import Answer, json_answer

if TYPE_CHECKING:
    from registry_wsgi.api.call import Call

_DEFAULT_PAGE = 100


def get(call: Call) -> Answer:
    """Return the repositories after `last`, at most `n` (100 if absent); with a Link where there are more.

    Only those that the caller may pull from are shown: a name can be a secret, too.
    """
    most = call.options.catalog_max_entries
    n = page_size(call.query("n"), most, clamp=False)
    if n is None:
        n = min(_DEFAULT_PAGE, most)
    names = call.namespace.repositories(call.ctx, call.query("last"))
    found = list(islice(filter(call.ctx.may_pull, names), n + 1)) if n else []
    page = found[:n]
    headers = {}
    if len(found) > n:
        headers["Link"] = call.locations.next_page("/v2/_catalog", {"last": page[-1], "n": n})
    return json_answer({"repositories": page}, headers)


METHODS = {"GET": get, "HEAD": get}

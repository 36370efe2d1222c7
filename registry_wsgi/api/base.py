"""`/v2/`: is this a registry, and may I use it? (end-1)"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.api.respond import Answer, answer

if TYPE_CHECKING:
    from registry_wsgi.api.call import Call


def get(_: Call) -> Answer:
    return answer(200, {"Content-Type": "application/json"}, b"{}")


METHODS = {"GET": get, "HEAD": get}

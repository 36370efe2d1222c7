"""What a handler is given: the request with everything it needs to answer it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from werkzeug.datastructures import EnvironHeaders

from registry_wsgi.api.bodies import RequestBody
from registry_wsgi.api.respond import Locations
from registry_wsgi.context import Event
from registry_wsgi.lazy import lazy

if TYPE_CHECKING:
    from typing import Literal

    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context
    from registry_wsgi.descriptor import Descriptor
    from registry_wsgi.interfaces import Namespace, Repository


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator may set of the API.

    `host` is the absolute URL that Location headers begin with; without it they are relative, or have the
    request's own host if not `relative_urls`. `headers` are added to every response. The maxima bound
    the pages of lists; `read_only` refuses whatever writes; `redirect` sends
    clients to where the driver says that a blob is.
    """

    host: str = ""
    relative_urls: bool = True
    headers: tuple[tuple[str, str], ...] = ()
    catalog_max_entries: int = 1000
    tags_max: int = 1000
    read_only: bool = False
    redirect: bool = False


class Call:
    """One request on its way through a handler."""

    def __init__(self, ctx: Context, environ: WSGIEnvironment, namespace: Namespace, options: Options) -> None:
        self.ctx = ctx
        self.environ = environ
        self.namespace = namespace
        self.options = options
        self.warnings: list[str] = []

    @property
    def argument(self) -> str:
        """The last word of the path: a reference, a digest or an upload's id."""
        return self.ctx.route.argument

    @lazy
    def repository(self) -> Repository:
        """The repository of the path. Raises NameInvalid."""
        return self.namespace.repository(self.ctx.route.name)

    @property
    def method(self) -> str:
        return self.environ["REQUEST_METHOD"]  # type: ignore[no-any-return]

    @lazy
    def headers(self) -> EnvironHeaders:
        """The headers of the request."""
        return EnvironHeaders(self.environ)

    @lazy
    def body(self) -> RequestBody:
        """The request's body, not yet read. Raises LengthRequired where its end could not be told."""
        return RequestBody(self.environ)

    @lazy
    def locations(self) -> Locations:
        return Locations(self.environ, host=self.options.host, relative=self.options.relative_urls)

    @lazy
    def _parameters(self) -> dict[str, list[str]]:
        text: str = self.environ.get("QUERY_STRING", "")
        if not text:
            return {}
        # Bytes that are no UTF-8 are wrong text like any other: what they stand in is refused, or ignored.
        return parse_qs(text.encode("latin-1").decode(errors="replace"), keep_blank_values=True)

    def query(self, key: str) -> str:
        """Return a parameter of the query string, empty where it is absent. A body is never read as a form."""
        return next(iter(self.queries(key)), "")

    def queries(self, key: str) -> list[str]:
        """Return all values of a parameter of the query string, in their order."""
        return self._parameters.get(key, [])

    def warn(self, text: str) -> None:
        """Tell the client's user something, without refusing anything (OCI Distribution Spec 1.1, "Warnings")."""
        self.warnings.append(text)

    def note(
        self,
        action: Literal["pull", "push", "mount", "delete"],
        descriptor: Descriptor | None = None,
        tag: str = "",
        from_repository: str = "",
        references: tuple[Descriptor, ...] = (),
    ) -> None:
        """Record what the request did, for the notifications layer."""
        self.ctx.events.append(Event(action, self.repository.name, descriptor, tag, from_repository, references))

    def forget(self, action: str) -> None:
        """Take back what was recorded of an action, for it turned out not to be done."""
        self.ctx.events[:] = [event for event in self.ctx.events if event.action != action]

"""Who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context


class Access(NamedTuple):
    """One thing that a request needs: an action on a resource, in the words of bearer tokens.

    `type` is `repository` or `registry`; `action` is `pull`, `push`, `delete` or `*`.
    """

    type: str
    name: str
    action: str


@dataclass(frozen=True, slots=True, eq=False)
class Grant:
    """Who asks, and what else they may: `may` answers for every repository of a list; `rule` says what decided.

    A controller that gives one caller the same Grant each time lets others remember what they make of it.
    """

    user: str
    may: Callable[[Access], bool]
    groups: tuple[str, ...] = ()
    rule: str = ""


class AccessController(Protocol):
    """Decides who may do what. A plugin in `registry_wsgi.access_controllers`; one controller may ask another."""

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
        """Return the grant of all of `access`; none asks for valid credentials alone.

        Raises Unauthorized with a WWW-Authenticate header where other credentials might do, Denied, with the user for
        log lines, where that is known and may not.
        """


@runtime_checkable
class Recalling(Protocol):
    """The ability of a controller to tell what a user may who proved a while ago who they are."""

    def recall(self, ctx: Context, user: str) -> tuple[Grant, str] | None:
        """Return the grant and a mark that changes with the user's credentials; None where they are no user now."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What is asked of a token server: scopes as they came, and whether a refresh token is wanted, or is shown."""

    scopes: tuple[str, ...] = ()
    offline: bool = False
    refresh_token: str = ""


@runtime_checkable
class TokenIssuer(Protocol):
    """The ability of a controller to be its own token server: a layer answers for it at its two paths."""

    token_path: str
    keys_path: str

    def issue(self, ctx: Context, environ: WSGIEnvironment, request: TokenRequest) -> Mapping[str, object]:
        """Return the answer to whom the environ's credentials, or the refresh token, belong.

        Raises as `authorize` does; what of the scopes they may not is left out.
        """

    def key_set(self, ctx: Context) -> Mapping[str, object]:
        """Return the public keys, as a JSON Web Key Set."""


class Authorize(Protocol):
    """A host application's own decision, in a function: an AccessController without the rest."""

    def __call__(self, environ: WSGIEnvironment, access: tuple[Access, ...], /) -> Grant: ...


class Document(Protocol):
    """A YAML file that may change while the registry runs. In a plugin's section it is the path of one."""

    path: str

    def stamp(self) -> tuple[int, ...]:
        """Return what is another after each change of the file. Raises ConfigurationError."""

    def read(self) -> object:
        """Return what the file says. Raises ConfigurationError."""

"""The sections `auth` and `middleware`: who says what is allowed, and the layers that are put between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry_wsgi.config.model import Auth, Layer
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from registry_wsgi.config.findings import Findings


def read_auth(section: dict[str, Any], findings: Findings) -> Auth | None:
    controllers = [name for name in section if name.lower() not in {"", "none"}]
    if len(controllers) > 1 or (controllers and len(section) > 1):
        findings.add(ConfigurationError(f"auth: exactly one controller is allowed, not {', '.join(section)}"))
    return Auth(controllers[0], section[controllers[0]]) if controllers else None


def read_layers(section: list[dict[str, Any]], key: str) -> tuple[Layer, ...]:
    return tuple(
        Layer(layer["name"], layer["options"], key=f"{key}[{number}]")
        for number, layer in enumerate(section)
        if layer["name"] and not layer["disabled"]
    )

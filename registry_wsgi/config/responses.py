"""The section `cache.responses`: answers that are remembered."""

from __future__ import annotations

from typing import Any

from registry_wsgi.config.model import Responses
from registry_wsgi.errors import ConfigurationError

_FEWEST_BYTES = 1024 * 1024


def read_responses(section: dict[str, Any]) -> Responses:
    """Return what the checked section says."""
    if section["maxbytes"] < _FEWEST_BYTES:
        raise ConfigurationError(
            f"cache.responses.maxbytes: must be {_FEWEST_BYTES} or more, not {section['maxbytes']}"
            "; cache.responses.enabled: false turns the layer off"
        )
    return Responses(**section)

"""The configuration: registry:2's YAML file and environment variables, checked once at start-up.

Loading logs nothing and changes nothing: what the operator should hear is in `Configuration.warnings`.
"""

from registry_wsgi.config.loading import Source, examine, load
from registry_wsgi.config.model import (
    HTTP,
    TLS,
    Auth,
    Cache,
    Configuration,
    Debug,
    Endpoint,
    Health,
    HealthCheck,
    Layer,
    Log,
    MailHook,
    Notifications,
    Outbox,
    Responses,
    Schema1,
    Storage,
    UploadPurging,
    Validation,
)

__all__ = [
    "HTTP",
    "TLS",
    "Auth",
    "Cache",
    "Configuration",
    "Debug",
    "Endpoint",
    "Health",
    "HealthCheck",
    "Layer",
    "Log",
    "MailHook",
    "Notifications",
    "Outbox",
    "Responses",
    "Schema1",
    "Source",
    "Storage",
    "UploadPurging",
    "Validation",
    "examine",
    "load",
]

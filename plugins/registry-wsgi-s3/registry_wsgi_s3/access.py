"""How a store is spoken to: the clients, credentials and connections that a section asks for."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
import urllib3
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path

from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from registry_wsgi_s3.section import Section

ATTEMPTS: Final = 4
"""How often boto3 makes a request at most; between them it waits a fraction of 1, 2 and 4 seconds."""
CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 30
CONNECTIONS: Final = 64

_making: Final = threading.Lock()  # a session is for one thread at a time, the clients it makes are for all


def client(section: Section) -> Any:
    """Return boto3's client of the store; it connects with the first request. Raises ConfigurationError."""
    return _client(section, section.regionendpoint)


def redirect_client(section: Section) -> Any:
    """Return the client that signs the URLs for others. Raises ConfigurationError."""
    return _client(section, section.redirectendpoint or section.regionendpoint)


def credentials(section: Section) -> Any:
    """Return botocore's credentials, which may renew themselves; None where there are none to be found."""
    if section.accesskey:
        return Credentials(section.accesskey, section.secretkey, section.sessiontoken or None)
    with _making:
        return _session().get_credentials()


def connections(section: Section, origin: str) -> urllib3.HTTPConnectionPool:
    """Return connections to the store that stay open, with the timeouts and the certificates of the client's."""
    tls: dict[str, str] = {}
    if origin.startswith("https:"):
        trusted = _core().get_config_variable("ca_bundle") or True
        tls = {"cert_reqs": "CERT_NONE"} if section.skipverify else {"ca_certs": get_cert_path(trusted)}
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    return urllib3.connection_from_url(origin, maxsize=CONNECTIONS, timeout=timeout, **tls)


def _client(section: Section, endpoint: str) -> Any:
    if endpoint and "://" not in endpoint:
        endpoint = f"{'https' if section.secure else 'http'}://{endpoint}"
    given: Mapping[str, str] = {
        "aws_access_key_id": section.accesskey,
        "aws_secret_access_key": section.secretkey,
        "aws_session_token": section.sessiontoken,
    }
    try:
        # A session reads the descriptions of the service from files, which takes longer than all else.
        with _making:
            return _session().client(
                "s3",
                region_name=section.region or "us-east-1",
                endpoint_url=endpoint or None,
                use_ssl=section.secure,
                verify=False if section.skipverify else None,
                config=_config(section, endpoint),
                **{name: value for name, value in given.items() if value},
            )
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"the client cannot be made: {' '.join(str(error).split())}") from error


def _config(section: Section, endpoint: str) -> Config:
    # A bucket with a dot has no host name that a certificate of AWS is for.
    path_style = section.forcepathstyle or bool(endpoint) or "." in section.bucket
    return Config(
        signature_version="s3v4",
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        # The digest of the whole is what is believed; a checksum of each part would be counted on top of it.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        use_dualstack_endpoint=section.usedualstack or None,
        use_fips_endpoint=section.usefipsendpoint or None,
        user_agent_extra=section.useragent or None,
        s3={
            "addressing_style": "path" if path_style else "virtual",
            "use_accelerate_endpoint": section.accelerate,
        },
    )


@functools.cache
def _core() -> Any:
    return botocore.session.get_session()


@functools.cache
def _session() -> Any:
    return boto3.session.Session(botocore_session=_core())

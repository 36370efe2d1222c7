"""The drivers by the sections that configure them: registry:3's for Azure and Google, and one for any other store."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, from_url

from registry_wsgi.errors import ConfigurationError
from registry_wsgi_objectstore.driver import ObjectStoreDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from obstore.store import ObjectStore

# The time of a whole request counts the client that reads a blob through it: only waiting for the store is bounded.
_PATIENCE: Final = {"connect_timeout": "5s", "read_timeout": "30s", "timeout": "24h"}
_RETRIES: Final = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}


def azure(
    *,
    container: str,
    accountname: str,
    accountkey: str = "",
    credentials: Mapping[str, str] | None = None,
    realm: str = "core.windows.net",
    serviceurl: str = "",
    rootdirectory: str = "",
) -> ObjectStoreDriver:
    """Azure Blob Storage. Without a key or `credentials` it is the identity of the machine that is asked.

    `credentials` are `clientid`, `tenantid` and `secret` of an application. `serviceurl` is that of the account, where
    it is no subdomain of blob.`realm`; over plain http where it begins so. Clients are redirected where there is a key.
    Raises ConfigurationError.
    """
    _needed("container", container, "the name of a container")
    _needed("accountname", accountname, "the name of a storage account")
    login: dict[str, Any] = {"account_key": accountkey} if accountkey else {}
    if credentials:
        login |= _application(credentials)
    if serviceurl and not serviceurl.startswith(("http://", "https://")):
        raise ConfigurationError(f"serviceurl must be a URL such as https://host/account, not {serviceurl!r:.80}")
    endpoint = serviceurl or f"https://{accountname}.blob.{realm}"
    store = _made(
        AzureStore,
        container,
        account_name=accountname,
        endpoint=endpoint.rstrip("/"),
        client_options=_PATIENCE | ({"allow_http": True} if endpoint.startswith("http://") else {}),
        **login,
    )
    return ObjectStoreDriver("azure", store, rootdirectory=rootdirectory, redirect=bool(accountkey))


def _application(credentials: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(credentials, dict):
        raise ConfigurationError("credentials must be a mapping with clientid, tenantid and secret")
    names = {"clientid": "client_id", "tenantid": "tenant_id", "secret": "client_secret"}
    kind = credentials.get("type", "client_secret")
    if kind == "default_credentials":
        return {}
    missing = [name for name in names if not credentials.get(name)]
    if kind != "client_secret" or missing:
        raise ConfigurationError(
            "credentials: needs clientid, tenantid and secret, and of the types client_secret or default_credentials"
        )
    return {own: credentials[name] for name, own in names.items()}


def gcs(
    *,
    bucket: str,
    keyfile: str = "",
    credentials: Mapping[str, object] | None = None,
    rootdirectory: str = "",
) -> ObjectStoreDriver:
    """Google Cloud Storage, with the key of a service account in a file or in the section, or the machine's identity.

    Clients are redirected where there is a key. Raises ConfigurationError.
    """
    _needed("bucket", bucket, "the name of a bucket")
    login: dict[str, Any] = {"service_account_path": keyfile} if keyfile else {}
    if credentials and not keyfile:
        login = {"service_account_key": json.dumps(dict(credentials))}
    store = _made(GCSStore, bucket, client_options=_PATIENCE, **login)
    return ObjectStoreDriver("gcs", store, rootdirectory=rootdirectory, redirect=bool(login))


def objectstore(
    *, url: str, options: Mapping[str, object] | None = None, rootdirectory: str = "", redirect: bool = False
) -> ObjectStoreDriver:
    """Whatever obstore knows by a URL, such as `s3://bucket` or `az://container`, with its own `options`.

    Raises ConfigurationError.
    """
    patience = {} if url.startswith(("memory:", "file:")) else {"client_options": _PATIENCE}
    store = _made(from_url, url, **patience, **(options or {}))
    return ObjectStoreDriver("objectstore", store, rootdirectory=rootdirectory, redirect=redirect)


def _needed(key: str, value: str, allowed: str) -> None:
    if not value:
        raise ConfigurationError(f"{key} is empty; allowed: {allowed}")


def _made(make: Callable[..., ObjectStore], *arguments: object, **options: Any) -> ObjectStore:
    if "client_options" in options:
        options = {"retry_config": _RETRIES, **options}
    try:
        return make(*arguments, **options)
    except (BaseError, TypeError, ValueError, OSError) as error:
        raise ConfigurationError(str(error).strip().partition("\n")[0]) from error

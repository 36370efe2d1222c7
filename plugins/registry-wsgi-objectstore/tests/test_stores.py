"""The sections that name a store, and what is said of one that cannot be reached."""

from __future__ import annotations

import pytest
from registry_wsgi_objectstore.stores import azure, objectstore

import registry_wsgi
from registry_wsgi.context import Context
from registry_wsgi.errors import ConfigurationError, DriverError
from tests import servers
from tests.api.inprocess import InProcess
from tests.stack import stack_over

AZURE = {"accountname": "account", "container": "registry"}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"azure": {}}, "storage.azure.container: required, but not given"),
        ({"azure": AZURE | {"container": ""}}, "storage.azure: container is empty; allowed: the name of a container"),
        ({"azure": AZURE | {"accountname": ""}}, "storage.azure: accountname is empty; allowed: the name of a storage"),
        ({"azure": AZURE | {"accountkey": "no base64"}}, "storage.azure: Generic MicrosoftAzure error: Invalid Access"),
        ({"azure": AZURE | {"serviceurl": "host"}}, "storage.azure: serviceurl must be a URL such as https://host/acc"),
        ({"azure": AZURE | {"credentials": {"clientid": "x"}}}, "storage.azure: credentials: needs clientid, tenantid"),
        ({"azure": AZURE | {"credentials": "x"}}, "storage.azure: credentials must be a mapping with clientid, tenant"),
        ({"azure": AZURE | {"acountkey": "x"}}, "storage.azure.acountkey: unknown key; did you mean accountkey?"),
        ({"gcs": {}}, "storage.gcs.bucket: required, but not given"),
        ({"gcs": {"bucket": ""}}, "storage.gcs: bucket is empty; allowed: the name of a bucket"),
        ({"gcs": {"bucket": "b", "keyfile": "/none"}}, "Unable to open service account file from /none"),
        ({"gcs": {"bucket": "b", "credentials": {"a": 1}}}, "Unable to decode service account file"),
        ({"objectstore": {"url": "nonsense"}}, "storage.objectstore: relative URL without a base"),
        ({"objectstore": {"url": "ftp://x"}}, "storage.objectstore: Generic URL error: Unable to recognise URL"),
        ({"objectstore": {"url": "s3://b", "options": {"bogus": "x"}}}, "Configuration key: 'bogus' is not valid for"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_what_cannot_be_is_one_line_at_start_up(section, message):
    with pytest.raises(ConfigurationError) as raised:
        registry_wsgi.create_app({"storage": section})
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("section", [{"azure": AZURE}, {"gcs": {"bucket": "b"}}, {"objectstore": {"url": "s3://b"}}])
def test_a_registry_starts_while_its_store_is_away(section):
    assert registry_wsgi.create_app({"storage": section})


def test_any_store_that_obstore_knows_by_a_url_will_do():
    client = InProcess(stack_over(objectstore(url="memory:///")))
    digest = client.push_blob("a", b"content")
    assert client.blob("a", digest).body == b"content"


def test_a_store_that_is_away_is_a_failure_of_one_line_without_the_key(emulator):
    driver = azure(**emulator.section() | {"serviceurl": f"http://127.0.0.1:{servers.free_port()}/account"})
    with pytest.raises(DriverError) as raised:
        driver.get_content(Context(), "/a")
    assert str(raised.value).startswith("azure: /a: ")
    assert "\n" not in str(raised.value)
    assert emulator.section()["accountkey"] not in str(raised.value)
    answer = InProcess(stack_over(driver)).request("GET", "/v2/a/tags/list")
    assert answer.status == 503


def test_a_wrong_key_is_refused_by_the_store(section):
    driver = azure(**section | {"accountkey": "AAAA"})
    with pytest.raises(DriverError, match=r"403|[Uu]nauthenticated|[Pp]ermission"):
        driver.put_content(Context(), "/a", b"content")

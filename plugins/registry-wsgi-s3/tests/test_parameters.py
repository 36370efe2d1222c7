"""registry:2's section `s3`: what it may say, and what is wrong with what it may not."""

from __future__ import annotations

import logging

import pytest
from registry_wsgi_s3 import S3Driver

from registry_wsgi import plugins
from registry_wsgi.context import Context
from registry_wsgi.errors import ConfigurationError

CTX = Context()
LEAST = {"bucket": "registry", "region": "eu-central-1"}
KEYS = {"accesskey": "AKIDEXAMPLE", "secretkey": "secret"}


def build(name="s3", **parameters):
    return plugins.build(plugins.STORAGE_DRIVERS, name, LEAST | parameters, key=f"storage.{name}")


@pytest.mark.parametrize("name", ["s3", "s3aws"])
def test_the_driver_is_found_by_both_names_of_registry_2(name):
    assert isinstance(build(name), S3Driver)


def test_every_parameter_of_registry_2_and_registry_3_is_taken():
    build(
        **KEYS,
        regionendpoint="s3.example.com",
        sessiontoken="token",
        encrypt=True,
        keyid="key",
        secure=False,
        skipverify=True,
        v4auth=True,
        chunksize="5242880",
        multipartcopychunksize=33554432,
        multipartcopymaxconcurrency=100,
        multipartcopythresholdsize=33554432,
        rootdirectory="/some/where",
        storageclass="STANDARD_IA",
        objectacl="bucket-owner-full-control",
        useragent="registry",
        loglevel="off",
        forcepathstyle=True,
        usedualstack=False,
        accelerate=False,
        usefipsendpoint=False,
        redirectendpoint="https://cdn.example.com",
    )


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"bucket": ""}, "bucket must be the name of a bucket, not ''"),
        ({"bucket": "a/b"}, "bucket must be"),
        ({"region": ""}, "region is required, unless regionendpoint"),
        ({"region": "Frankfurt"}, "region must be one of AWS, such as eu-central-1, not 'Frankfurt'"),
        ({"accesskey": "key"}, "accesskey and secretkey are given together"),
        ({"sessiontoken": "token"}, "sessiontoken is given without"),
        ({"keyid": "key"}, "keyid is given without encrypt: true"),
        ({"v4auth": False}, "v4auth: false asks for signatures of version 2"),
        ({"chunksize": 5242879}, "chunksize must be a whole number from 5242880 to 5368709120, not 5242879"),
        ({"chunksize": "10MB"}, "chunksize must be"),
        ({"multipartcopychunksize": 1}, "multipartcopychunksize must be"),
        ({"multipartcopymaxconcurrency": 0}, "multipartcopymaxconcurrency must be"),
        ({"multipartcopythresholdsize": -1}, "multipartcopythresholdsize must be"),
        ({"storageclass": "GLACIER"}, "storageclass must be one of NONE, STANDARD"),
        ({"objectacl": "everyone"}, "objectacl must be one of private"),
        ({"secure": "yes"}, "secure: must be true or false"),
        ({"regionendpoint": "http://["}, "the client cannot be made"),
        ({"uploadlease": 0}, "uploadlease must be a number of seconds from 1 to 3600"),
        ({"chunk_size": 1}, "chunk_size: unknown key; did you mean chunksize?"),
    ],
)
def test_a_mistake_is_named_on_one_line(parameters, said):
    with pytest.raises(ConfigurationError, match=r"^storage\.s3[.:]") as caught:
        build(**parameters)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_has_no_effect_is_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        build(loglevel="debug")
    assert "storage.s3.loglevel has no effect" in caplog.text


@pytest.mark.parametrize(
    ("parameters", "host"),
    [
        ({}, "https://registry.s3.eu-central-1.amazonaws.com/"),
        ({"forcepathstyle": True}, "https://s3.eu-central-1.amazonaws.com/registry/"),
        ({"bucket": "my.registry"}, "https://s3.eu-central-1.amazonaws.com/my.registry/"),
        ({"accelerate": True}, "https://registry.s3-accelerate.amazonaws.com/"),
        ({"usedualstack": True}, "https://registry.s3.dualstack.eu-central-1.amazonaws.com/"),
        ({"region": "us-east-1", "usefipsendpoint": True}, "https://registry.s3-fips.us-east-1.amazonaws.com/"),
        ({"secure": False, "regionendpoint": "localhost:9000"}, "http://localhost:9000/registry/"),
        ({"regionendpoint": "https://s3.example.com"}, "https://s3.example.com/registry/"),
        ({"redirectendpoint": "https://cdn.example.com"}, "https://cdn.example.com/registry/"),
    ],
)
def test_the_endpoint_is_where_the_section_says(parameters, host):
    url = build(**KEYS, **parameters).redirect_url(CTX, "/a", "GET")
    assert url.startswith(host + "a?"), url


def test_a_redirect_is_good_for_twenty_minutes_and_for_reading_only():
    driver = build(**KEYS, rootdirectory="/root/")
    url = driver.redirect_url(CTX, "/a/b", "GET")
    assert "/root/a/b?" in url
    assert "X-Amz-Expires=1200" in url
    assert driver.redirect_url(CTX, "/a/b", "PUT") == ""

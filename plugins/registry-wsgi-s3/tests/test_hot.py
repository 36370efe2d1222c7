"""The calls that are made without boto3 ask for just what boto3's ask for, and leave to it what they do not know."""

from __future__ import annotations

import datetime
import ssl
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.credentials import RefreshableCredentials
from registry_wsgi_s3 import S3Driver, access
from registry_wsgi_s3.hot import HotCalls

from registry_wsgi.context import Context
from registry_wsgi.errors import DriverError
from registry_wsgi.testing.certificates import authority

CTX = Context()
KEYS = {"accesskey": "AKIDEXAMPLE", "secretkey": "secret"}
ANSWER = {
    "ETag": '"tag"',
    "Last-Modified": "Thu, 26 Nov 2026 12:00:00 GMT",
    "Content-Length": "0",
}
OWN = ("amz-sdk-", "user-agent", "expect", "accept-encoding", "authorization", "x-amz-date", "connection")
"""What is of boto3, of a connection or of a moment."""


class Recorder:
    """A store that takes everything and keeps nothing but the requests, as (method, target, headers, content)."""

    def __init__(self, tls=None):
        self.requests = []
        self.connections = Counter()
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                recorder.requests.append((self.command, self.path, headers, content))
                recorder.connections[self.client_address] += 1
                self.send_response_only(200)
                for name, value in ANSWER.items():
                    self.send_header(name, value)
                self.end_headers()

            do_GET = do_HEAD = do_PUT = answer

            def log_message(self, format, *arguments):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def section(self, **more):
        return {"bucket": "registry", "region": "eu-central-1", "regionendpoint": self.endpoint, **KEYS, **more}

    def taken(self):
        requests, self.requests = self.requests, []
        return requests


@contextmanager
def recording(tls=None):
    recorder = Recorder(tls)
    try:
        yield recorder
    finally:
        recorder.server.shutdown()
        recorder.server.server_close()


@pytest.fixture
def recorder():
    with recording() as recorder:
        yield recorder


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def through_boto3(monkeypatch):
    monkeypatch.setattr(HotCalls, "_first_try", lambda *arguments: None)


def own_words(request):
    """Return a request without what may differ, but with the headers that its signature is of."""
    method, target, headers, content = request
    signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    kept = {name: value for name, value in headers.items() if not name.startswith(OWN)}
    return method, target, kept, content, [name for name in signed if not name.startswith("amz-sdk-")]


def every_call(driver):
    """Make each of the calls, with all that the driver ever says in it."""
    bucket = driver._bucket
    bucket.put("a/b~upload", b"content", Metadata={"size": "7"}, IfNoneMatch="*")
    bucket.put("a/b", b"", IfMatch='"tag"')
    bucket.put_part("a/b", "id+/=", 3, bytearray(b"part"))
    bucket.head("a/_b.c-d~ e+f/ü")
    for arguments in ({}, {"offset": 5, "etag": '"tag"'}):
        with bucket.get("a/b", **arguments)[1] as body:
            body.read()


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"encrypt": True},
        {"encrypt": True, "keyid": "arn:aws:kms:eu-central-1:1:key/a"},
        {"storageclass": "STANDARD_IA", "objectacl": "bucket-owner-full-control"},
        {"sessiontoken": "token", "useragent": "registry/1"},
    ],
    ids=lambda parameters: " ".join(parameters) or "plain",
)
def test_the_requests_are_those_of_boto3(recorder, monkeypatch, parameters):
    every_call(S3Driver(**recorder.section(**parameters)))
    ours = recorder.taken()
    through_boto3(monkeypatch)
    every_call(S3Driver(**recorder.section(**parameters)))
    for our, theirs in zip(ours, recorder.taken(), strict=True):
        assert own_words(our) == own_words(theirs)
        assert our[2]["user-agent"].endswith(parameters.get("useragent", ""))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"forcepathstyle": True},
        {"accelerate": True},
        {"usedualstack": True},
        {"region": "us-east-1", "usefipsendpoint": True},
        {"region": "", "regionendpoint": "s3.example.com:9000", "secure": False},
        {"bucket": "my.registry", "regionendpoint": "https://s3.example.com/below"},
    ],
    ids=lambda parameters: " ".join(parameters) or "plain",
)
def test_the_place_is_the_one_that_botocore_resolves(parameters):
    section = {"bucket": "registry", "region": "eu-central-1"} | KEYS | parameters
    driver = S3Driver(**section)
    place = driver._bucket._hot._place
    url = driver.redirect_url(CTX, "/a/b", "GET")
    assert url.startswith(f"{place._origin}{place._prefix}a/b?")
    assert f"%2F{section['region'] or 'us-east-1'}%2Fs3%2Faws4_request" in url
    assert place._region == (section["region"] or "us-east-1")


@pytest.mark.parametrize("bucket", ["express--euc1-az1--x-s3"])
def test_what_has_another_signature_is_left_to_boto3(bucket):
    assert S3Driver(bucket=bucket, region="eu-central-1", **KEYS)._bucket._hot._place is None


def test_behind_a_proxy_all_is_left_to_boto3(recorder, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert S3Driver(**recorder.section())._bucket._hot._place is None
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert S3Driver(**recorder.section())._bucket._hot._place is not None


def test_a_connection_is_used_again(recorder):
    driver = S3Driver(**recorder.section())
    for _ in range(3):
        every_call(driver)
    assert len(recorder.connections) == 1


def test_credentials_that_renew_themselves_are_asked_for_each_time(recorder, monkeypatch):
    def credentials(access_key, minutes):
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
        given = {"access_key": access_key, "secret_key": "secret", "token": f"of {access_key}"}
        return given | {"expiry_time": expires.isoformat()}

    renewable = RefreshableCredentials.create_from_metadata(
        credentials("OLD", 60), refresh_using=lambda: credentials("NEW", 60), method="test"
    )
    monkeypatch.setattr(access, "credentials", lambda section: renewable)
    driver = S3Driver(**recorder.section())
    driver._bucket.head("a")
    renewable._expiry_time = datetime.datetime.now(datetime.UTC)
    driver._bucket.head("a")
    (_, _, old, _), (_, _, new, _) = recorder.taken()
    for headers, key in ((old, "OLD"), (new, "NEW")):
        assert f"Credential={key}/" in headers["authorization"]
        assert headers["x-amz-security-token"] == f"of {key}"


@pytest.fixture
def secure(tmp_path, monkeypatch):
    """A recorder that speaks TLS, with a certificate that the environment's bundle knows the authority of."""
    root = authority(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(root.certificate))
    for cached in (access._core, access._session):
        cached.cache_clear()
    with recording(root.issue("store")) as recorder:
        yield recorder
    for cached in (access._core, access._session):
        cached.cache_clear()


def test_over_tls_content_is_not_signed(secure):
    every_call(S3Driver(**secure.section()))
    assert {headers["x-amz-content-sha256"] for _, _, headers, _ in secure.taken()} == {"UNSIGNED-PAYLOAD"}


def test_a_certificate_of_somebody_else_is_refused_unless_any_will_do(secure, monkeypatch):
    monkeypatch.delenv("AWS_CA_BUNDLE")
    for cached in (access._core, access._session):
        cached.cache_clear()
    monkeypatch.setattr(access, "ATTEMPTS", 1)
    with pytest.raises(DriverError, match="certificate"):
        S3Driver(**secure.section())._bucket.head("a")
    assert secure.taken() == []
    driver = S3Driver(**secure.section(skipverify=True))
    with pytest.warns(Warning, match="Unverified HTTPS request"):
        driver._bucket.head("a")
    assert len(secure.taken()) == 1

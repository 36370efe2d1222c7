"""Determining support (end-1), the form of errors, and warnings."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from registry_wsgi import mediatypes
from tests.conformance.target import CODES, Repo, Target, check_warnings, codes, random_blob, unknown_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.wire import Response

endpoint = pytest.mark.endpoint


@endpoint("end-1", "MUST")
def test_end_1_the_base_answers_200(target: Target) -> None:
    assert target.client.request("GET", "/v2/").status == 200


def _upload_range(repo: Repo) -> Response:
    return repo.patch(repo.start_upload(), b"later", "100-104")


ERRORS: dict[str, tuple[Callable[[Repo], Response], tuple[int, ...]]] = {
    "unknown blob": (lambda repo: repo.blob(unknown_digest()), (404,)),
    "unknown manifest": (lambda repo: repo.manifest("absent"), (404,)),
    "unknown upload": (
        lambda repo: repo.patch(repo.path("blobs/uploads/00000000-0000-0000-0000-000000000000"), b"x"),
        (404,),
    ),
    "tags of an unknown repository": (lambda repo: repo.request("GET", "tags/list"), (404, 200)),
    "malformed digest": (lambda repo: repo.close(repo.start_upload(), "sha256:zz", b"x"), (400,)),
    "wrong digest": (lambda repo: repo.close(repo.start_upload(), unknown_digest(), b"x"), (400,)),
    "chunk out of order": (_upload_range, (416,)),
    "malformed manifest": (lambda repo: repo.put("v1", b"{", mediatypes.OCI_MANIFEST), (400,)),
    "malformed tag": (lambda repo: repo.put(".-", repo.image()), (400, 404)),
    "malformed name": (lambda repo: repo.client.request("GET", "/v2/UPPER/manifests/v1"), (400, 404)),
    "unsatisfiable range": (lambda repo: repo.blob(repo.push_blob(b"abc"), Range="bytes=10-20"), (416, 200)),
    "malformed page size": (lambda repo: _tagged(repo).request("GET", "tags/list?n=none"), (400, 200)),
    "unsupported method": (lambda repo: repo.request("PUT", "tags/list", b""), (404, 405)),
}


KEPT = {"malformed page size": {"PAGINATION_NUMBER_INVALID"}}
"""Codes of Docker's registry that are kept where none of the specification's comes near (docs/errors.md)."""


def _tagged(repo: Repo) -> Repo:
    repo.push_image("v1")
    return repo


@pytest.mark.parametrize("kind", ERRORS)
@endpoint("errors", "MUST")
def test_errors_in_json_have_the_form_and_the_codes_of_the_specification(repo: Repo, kind: str) -> None:
    ask, statuses = ERRORS[kind]
    answer = ask(repo)
    assert answer.status in statuses, (answer.status, answer.body)
    if answer.status >= 400:
        assert set(codes(answer)) <= CODES | KEPT.get(kind, set())


@endpoint("warnings", "MUST")
def test_warnings_have_code_299_no_agent_no_date_and_4096_bytes_at_most(target: Target, repo: Repo) -> None:
    digest, _ = repo.push_image("v1")
    for answer in (
        target.client.request("GET", "/v2/"),
        repo.manifest("v1"),
        repo.manifest(digest, "HEAD"),
        repo.request("GET", "tags/list"),
        repo.manifest("absent"),
    ):
        check_warnings(answer)


@endpoint("errors", "SHOULD", since="main")
def test_429_says_when_to_come_again(target: Target, repo: Repo) -> None:
    """Two requests write one upload: a registry may make the second one wait, or refuse it for a while."""
    location = repo.start_upload()
    parts = urlsplit(target.client.root)
    if parts.scheme != "http":
        pytest.skip("a half-sent request is sent without TLS here")
    path = urlsplit(location)
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=10) as slow:
        head = f"PATCH {path.path}{'?' if path.query else ''}{path.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        slow.sendall(f"{head}Content-Length: 100\r\n\r\n".encode() + b"x" * 50)
        time.sleep(0.3)
        answer = repo.patch(location, random_blob())
        target.optional(answer.status == 429, "429 for an upload that another request is writing")
        assert answer.headers["Retry-After"].isdigit()

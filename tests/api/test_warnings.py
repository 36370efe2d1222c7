"""What the registry tells a client's user beside an answer (OCI Distribution Spec 1.1, "Warnings")."""

from __future__ import annotations

import json

from registry_wsgi import mediatypes
from registry_wsgi.api.respond import warning_headers
from registry_wsgi.descriptor import Digest
from tests import storages
from tests.stack import push_image, stack_over

INDEX = json.dumps({"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": []}).encode()


def test_an_index_under_a_tag_for_referrers_is_taken_with_a_warning() -> None:
    app = stack_over(storages.new_driver())
    headers = {"Content-Type": mediatypes.OCI_INDEX}
    tag = f"sha256-{Digest.of(b'subject').hex}"
    response = app.put(f"/v2/a/manifests/{tag}", INDEX, headers=headers, status=201)
    assert response.headers["Warning"].startswith('299 - "This registry lists referrers by itself')
    assert "Warning" not in app.put("/v2/a/manifests/v1", INDEX, headers=headers, status=201).headers


def test_an_ordinary_push_has_no_warning() -> None:
    app = stack_over(storages.new_driver())
    push_image(app, "a", "v1", b"{}")
    assert "Warning" not in app.get("/v2/a/manifests/v1").headers


def test_warnings_are_told_once_and_end_at_4096_bytes() -> None:
    assert warning_headers(["one", "one"]) == [("Warning", '299 - "one"')]
    many = warning_headers(f"{number:03} {'x' * 100}" for number in range(100))
    assert sum(len(value) for _, value in many) <= 4096
    assert len(many) > 30

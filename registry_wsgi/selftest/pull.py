"""The steps of a pull, and of what comes after it: blobs, manifests, lists, deletion."""

from __future__ import annotations

import http.client
import json
import ssl
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from registry_wsgi.descriptor import Digest
from registry_wsgi.mediatypes import OCI_MANIFEST
from registry_wsgi.selftest.client import connection_to
from registry_wsgi.selftest.push import CONFIG, TAGS

if TYPE_CHECKING:
    from registry_wsgi.selftest.client import Answer
    from registry_wsgi.selftest.trial import Trial

_REDIRECT_SECONDS = 30.0


def gives_a_layer(trial: Trial) -> None:
    target = f"{trial.base}/blobs/{trial.digest}"
    answer = trial.expect(trial.client.request("HEAD", target), 200, 307, what="HEAD of the layer")
    if answer.status == 200 and answer.headers.get("Content-Length") != str(len(trial.layer)):
        trial.problems.append(
            f"HEAD has the Content-Length {answer.headers.get('Content-Length')}, and the layer has"
            f" {len(trial.layer)} bytes: a proxy compresses, or drops it"
        )
    # Clients that are written in Go ask so of everything.
    answer = trial.client.request("GET", target, headers={"Accept-Encoding": "gzip"})
    trial.expect(answer, 200, 307, what="GET of the layer")
    if answer.status == 307:
        _follow(trial, answer)
        return
    if answer.headers.get("Content-Encoding"):
        trial.problems.append("layers arrive compressed once more: switch gzip off for the registry in the proxy")
    elif answer.body != trial.layer:
        trial.problems.append(f"the layer is not what was pushed: {len(answer.body)} bytes, {Digest.of(answer.body)}")
    part = trial.client.request("GET", target, headers={"Range": "bytes=1000-1999"})
    if part.status != 206 or part.body != trial.layer[1000:2000]:
        trial.notes.append(
            f"a part of a layer is answered {part.status}: a broken download cannot go on where it ended"
        )


def _follow(trial: Trial, answer: Answer) -> None:
    """Fetch what a redirect points at, as a client without the registry's credentials would."""
    parts = urlsplit(answer.headers["Location"])
    trial.notes.append(f"layers come from {parts.netloc}, which clients have to reach")
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    with closing(connection_to(parts.netloc, tls, _REDIRECT_SECONDS)) as connection:
        try:
            connection.request("GET", f"{parts.path}?{parts.query}")
            found = connection.getresponse()
            if found.status != 200 or found.read() != trial.layer:
                trial.problems.append(
                    f"what {parts.netloc} answers ({found.status}) is not the layer: set storage.redirect.disable"
                )
        except (OSError, http.client.HTTPException) as error:
            trial.problems.append(f"{parts.netloc} cannot be reached ({error}): set storage.redirect.disable")


def gives_an_image(trial: Trial) -> None:
    for reference in (TAGS[0], trial.manifest_digest):
        answer = trial.client.request("GET", f"{trial.base}/manifests/{reference}", headers={"Accept": OCI_MANIFEST})
        trial.expect(answer, 200, what=f"GET of the manifest by {reference[:20]}")
        if answer.body != trial.manifest:
            trial.problems.append("the manifest is not what was pushed: something on the way changes bodies")
        if answer.headers.get("Content-Type") != OCI_MANIFEST:
            trial.problems.append(f"the manifest has the Content-Type {answer.headers.get('Content-Type')}")
        if answer.headers.get("Docker-Content-Digest") != trial.manifest_digest:
            trial.problems.append("Docker-Content-Digest is missing or wrong: a proxy removes headers it does not know")


def lists_tags(trial: Trial) -> None:
    answer = trial.client.request("GET", f"{trial.base}/tags/list?n=1")
    trial.expect(answer, 200, what="the list of tags")
    link = answer.headers.get("Link", "")
    if not link:
        trial.notes.append("lists come without Link headers, so not in pages")
        return
    url = link.partition("<")[2].partition(">")[0]
    trial.check_url(url, "Link")
    further = trial.expect(trial.client.request("GET", url), 200, what="the next page of tags")
    if not json.loads(further.body)["tags"]:
        trial.problems.append("the next page of tags is empty: a proxy drops the query")


def deletes(trial: Trial) -> None:
    answer = trial.client.request("DELETE", f"{trial.base}/manifests/{trial.manifest_digest}")
    if answer.status == 405:
        trial.notes.append(f"deletion is off (storage.delete.enabled), so the image stays in {trial.repository}")
        return
    if answer.status in (401, 403):
        trial.notes.append(f"the user may not delete, so the image stays in {trial.repository}")
        return
    trial.expect(answer, 202, what="deleting the manifest")
    for digest in (trial.digest, Digest.of(CONFIG)):
        trial.expect(trial.client.request("DELETE", f"{trial.base}/blobs/{digest}"), 202, what="deleting a blob")
    answer = trial.client.request("GET", f"{trial.base}/manifests/{TAGS[0]}", headers={"Accept": OCI_MANIFEST})
    if answer.status != 404:
        trial.problems.append(f"a manifest that was deleted is answered {answer.status}: something on the way caches")


STEPS = (
    ("the layer is pulled", gives_a_layer),
    ("the image is pulled", gives_an_image),
    ("tags are listed in pages", lists_tags),
    ("the image is deleted", deletes),
)

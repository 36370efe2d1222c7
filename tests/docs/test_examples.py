"""The YAML and the Python of every page: `registry-wsgi check` finds no fault in the one, the other runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import bcrypt
import flask
import pytest
import yaml
from joserfc.jwk import ECKey

from registry_wsgi.config.schema import TREE
from registry_wsgi.inspection import preflight
from registry_wsgi.testing.served import ServedRegistry
from tests.auth import forge
from tests.docs.pages import PAGES, blocks

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATIONS = [
    pytest.param(page, content, id=f"{page}-{number}")
    for page in PAGES
    for number, content in enumerate(block.content for block in blocks(page, "yaml"))
]
NO_CONFIGURATION = {"examples/grafana/README.md": "Prometheus'; tests/examples/test_grafana.py gives it that"}
OF_A_STRANGER = {
    "examples/third_party_driver/README.md": ["storage.fsspec: unknown name 'fsspec'"],
    "examples/third_party_layer/README.md": ["middleware.http[0]: unknown name 'pause'"],
}
"""What is said where the distributions of the examples are not installed; their own tests install them."""

RUN_BY_OTHERS = {
    "docs/embedding.md": "test_pages.py",
    "docs/plugins.md": "test_plugins.py",
    "docs/testing.md": "../testing/test_plugin.py",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The files that examples name, wherever they have them."""
    (tmp_path / "htpasswd").write_text(f"alice:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    (tmp_path / "users").write_bytes((tmp_path / "htpasswd").read_bytes())
    key = ECKey.generate_key("P-256")
    (tmp_path / "token-server.pem").write_bytes(forge.pem(forge.certificate(key)))
    (tmp_path / "signing-key.pem").write_bytes(key.as_pem(private=True))
    return tmp_path


def moved(text: str, directory: Path) -> str:
    return re.sub(r"(/etc/registry|/var/lib|/var/log|/srv|/run/registry|\./)(/|\b)", f"{directory}/", text)


@pytest.mark.parametrize(("page", "content"), CONFIGURATIONS)
def test_nothing_is_wrong_with_a_configuration(page: str, content: str, directory: Path) -> None:
    document = yaml.safe_load(moved(content, directory))
    assert (page in NO_CONFIGURATION) == (not document.keys() <= TREE.children.keys())
    if page in NO_CONFIGURATION:
        return
    if not document.get("storage", {}).keys() - TREE.children["storage"].children.keys():
        document["storage"] = {"inmemory": {}, **document.get("storage", {})}
    if document.keys() >= {"redis"}:  # the examples of its servers leave out that the cache is theirs
        document["storage"].setdefault("cache", {"blobdescriptor": "redis"})
    problems, _ = preflight.inspect(document, running=True)
    assert [problem.partition(";")[0] for problem in problems] == OF_A_STRANGER.get(page, [])


def python_of(page: str) -> list[str]:
    return [block.content for block in blocks(page, "python")]


def run(code: str, **names: Any) -> dict[str, Any]:
    exec(compile(code, "a page", "exec"), names)
    return names


def site(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"our site"]


def test_every_page_with_python_has_a_test() -> None:
    here = {"README.md", "docs/notifications.md", "docs/schema1.md", "examples/flask_host/README.md"}
    assert {page for page in PAGES if python_of(page)} == here | RUN_BY_OTHERS.keys()


def test_the_python_of_the_readme_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mounted, library = (code.replace("/srv", str(tmp_path)) for code in python_of("README.md"))
    application = run(mounted, application=site)["application"]
    assert application is not site
    with ServedRegistry(config={"storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}}}) as served:
        served.push_image("my/image:v1", [b"layer"])
    run(library)
    assert capsys.readouterr().out == "['v1']\n"


def test_the_python_of_the_flask_example_runs(tmp_path: Path) -> None:
    names: dict[str, Any] = {"authorize": lambda environ, access: None}
    for code in python_of("examples/flask_host/README.md"):
        app = flask.Flask("site")
        before = app.wsgi_app
        names = run(f"import registry_wsgi\n{moved(code, tmp_path)}", **{**names, "app": app})
        assert app.wsgi_app is not before


def test_the_python_of_the_page_on_signatures_lists_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage = {"filesystem": {"rootdirectory": str(tmp_path / "data")}}
    with ServedRegistry(config={"storage": storage}) as served:
        image = served.push_image("library/app:v1", [b"layer"])
        kind = "application/vnd.cncf.notary.signature"
        signature = served.push_artifact("library/app", kind, {"signature": b"s"}, subject=image)
    (tmp_path / "registry.yml").write_text(yaml.safe_dump({"version": 0.1, "storage": storage}))
    (code,) = python_of("docs/schema1.md")
    run(code.replace("/etc/registry.yml", str(tmp_path / "registry.yml")))
    assert signature.digest in capsys.readouterr().out


def test_the_consumer_of_the_page_on_notifications_takes_each_event_once(tmp_path: Path, free_port: int) -> None:
    code, _ = python_of("docs/notifications.md")
    command = [sys.executable, "-u", "-c", code.replace("8080", str(free_port))]
    target = {"repository": "a/b", "tag": "v1", "digest": "sha256:0"}
    event = {"id": "1", "action": "push", "target": target}
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            for each in (event, event, event | {"id": "2", "action": "pull"}, event | {"id": "3"}):
                assert posted(f"http://127.0.0.1:{free_port}/", {"events": [each]}) == 200
        finally:
            process.kill()
        assert process.stdout
        assert process.stdout.read() == "a/b v1 sha256:0\n" * 2


def posted(url: str, document: object) -> int:
    """Return the status of a POST to a server that may still be starting."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, json.dumps(document).encode(), timeout=30) as answer:
                return int(answer.status)
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError(f"nobody listens at {url}")


def test_a_function_of_the_host_hears_of_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yml").write_text("version: 0.1\nstorage: inmemory\n")
    _, code = python_of("docs/notifications.md")
    assert run(code, application=site)["application"] is not site

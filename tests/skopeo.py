"""skopeo as a machine's only client: a whole image there and back, and one in a file."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.components import require
from tests.images import KB, MB, Layout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SIZES = (KB, 300 * KB, 10 * MB)
SECONDS = 120.0


def copy(*arguments: str) -> None:
    command = (require("skopeo"), "--insecure-policy", "copy", "--preserve-digests", "--quiet", *arguments)
    subprocess.run(command, check=True, timeout=SECONDS, capture_output=True)


def round_trip(host: str, directory: Path, *, sizes: Sequence[int] = SIZES, authority: Path | None = None) -> None:
    """Push `example/image:v1` with a layer for each size, pull it, and compare every byte.

    Without an `authority`, a file in PEM, the registry speaks plain HTTP.
    """
    layout, pulled = Layout(directory / "layout"), Layout(directory / "pulled")
    layout.add_image(sizes, "v1")
    option = "tls-verify=false"
    if authority is not None:
        certificates = directory / "certificates"
        certificates.mkdir()
        (certificates / "ca.crt").write_bytes(authority.read_bytes())
        option = f"cert-dir={certificates}"
    reference = f"docker://{host}/example/image:v1"
    copy(f"--dest-{option}", f"oci:{layout.directory}:v1", reference)
    copy(f"--src-{option}", reference, f"oci:{pulled.directory}:v1")
    assert pulled.digests() == layout.digests()


def image_archive(path: Path) -> None:
    """Write a file as `docker save` does, with the image `my/image:v1`."""
    layout = Layout(path.with_suffix(".layout"))
    layout.add_image([KB, 100 * KB], "v1")
    command = (require("skopeo"), "--insecure-policy", "copy", "--quiet")
    target = f"docker-archive:{path}:my/image:v1"
    subprocess.run([*command, f"oci:{layout.directory}:v1", target], check=True, timeout=SECONDS)
    shutil.rmtree(layout.directory)

"""Media types that the registry itself has to know."""

OCTET_STREAM = "application/octet-stream"

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"

SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
SCHEMA1_LAYER = "application/vnd.docker.container.image.rootfs.diff+x-gtar"

IMAGES = frozenset({DOCKER_MANIFEST, OCI_MANIFEST})
INDEXES = frozenset({DOCKER_MANIFEST_LIST, OCI_INDEX})
MANIFESTS = IMAGES | INDEXES
SCHEMA1_MANIFESTS = frozenset({SCHEMA1, SCHEMA1_SIGNED})

DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
OCI_NON_DISTRIBUTABLE_LAYERS = frozenset(
    f"application/vnd.oci.image.layer.nondistributable.v1.tar{suffix}" for suffix in ("", "+gzip", "+zstd")
)
FOREIGN_LAYERS = OCI_NON_DISTRIBUTABLE_LAYERS | {DOCKER_FOREIGN_LAYER}
"""Layers that live elsewhere: a manifest may name them without their blobs being here."""

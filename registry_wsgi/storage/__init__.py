"""The domain over a driver: blobs, links, uploads, manifests, tags."""

"""Our server against another registry on the same machine: `python -m benchmarks`, or `make bench`."""

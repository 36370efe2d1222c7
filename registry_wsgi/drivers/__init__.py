"""Storage drivers: bytes at paths."""

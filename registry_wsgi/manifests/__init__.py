"""Manifest formats: parse and validate, nothing else."""

"""The Flask core: one thin module for each resource of the API."""

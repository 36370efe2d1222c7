"""`python -m registry_wsgi`: the command line."""

from registry_wsgi.cli import main

main()

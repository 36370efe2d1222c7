"""The WSGI layers that stand around the core, and how they are stacked."""

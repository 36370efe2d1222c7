"""The rows of the table of keys, a module for each section."""

"""Whether the registry can do its work: checks that are made from time to time, and those that are asked for."""

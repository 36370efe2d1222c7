"""A registry looked at without serving: what is installed, what it would be, and what would keep it from starting."""

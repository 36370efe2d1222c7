"""Access controllers: who is asking, and what they may. Each is a plugin; one may ask another."""

"""Cache providers: descriptors remembered."""

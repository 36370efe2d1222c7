"""Events: kept in an outbox before they are acknowledged, and delivered to endpoints from there."""

"""What a configuration asks for, built: the registry, the layers around it, and what runs beside requests."""

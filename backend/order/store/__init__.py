"""SQL of the order room."""

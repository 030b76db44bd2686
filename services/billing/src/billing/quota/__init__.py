"""Hard counting: granted exactly as long as there is room, however many ask at once."""

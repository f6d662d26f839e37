"""What changed: cursor, content comparison and the transitions between two states. Pure."""

"""Random numbers that are addressed, not consumed."""

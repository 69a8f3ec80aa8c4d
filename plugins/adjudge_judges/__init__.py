"""judges: filled in below."""

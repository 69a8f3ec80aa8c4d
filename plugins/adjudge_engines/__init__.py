"""engines: filled in below."""

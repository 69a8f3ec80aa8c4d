"""data: filled in below."""

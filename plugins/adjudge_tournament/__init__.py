"""tournament: filled in below."""

"""report: filled in below."""

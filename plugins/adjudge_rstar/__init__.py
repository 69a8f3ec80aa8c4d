"""rstar: filled in below."""

"""sft: filled in below."""

"""grpo: filled in below."""

"""The commands of the command line, one file each; what they need beyond the signature is imported when they run."""

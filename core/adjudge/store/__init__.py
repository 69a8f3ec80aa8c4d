"""What is on disk, whole or not at all: files, records, run folders, model folders, and rows that people made."""

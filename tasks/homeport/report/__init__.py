"""Results become text, files and pictures."""

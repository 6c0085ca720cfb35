"""Files: written whole or not at all, and read without believing what they claim."""

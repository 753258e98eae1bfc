"""English: 1 Jan 2027."""

"""How data come in: files and frames, their columns, and what is missing in them."""

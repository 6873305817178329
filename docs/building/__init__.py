"""What the site has beyond Sphinx: docstrings in Unicode, links by name, examples that run, and checks."""

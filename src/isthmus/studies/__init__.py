"""Questions that are answered over many runs, and the files that hold the answers."""

"""What the system is: no time, and no randomness but a key or seed that is passed in."""

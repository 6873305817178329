"""How the system moves: the mean-field flow, stochastic gradient descent, and exact reduced systems."""

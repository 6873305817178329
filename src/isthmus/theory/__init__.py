"""What can be said of the dynamics: the law of finite networks, dead laws and their escape, couplings."""

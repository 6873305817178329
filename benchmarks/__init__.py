"""Benchmarks of the mean-field solver."""

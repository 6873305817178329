"""Figures and reports of a finished study."""

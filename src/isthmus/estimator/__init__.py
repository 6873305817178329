"""The estimator for scikit-learn, its files and what can be said of a fitted one."""

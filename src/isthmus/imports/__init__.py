"""Autoencoders of other frameworks, read layer by layer: torch modules, ONNX graphs, Keras models."""

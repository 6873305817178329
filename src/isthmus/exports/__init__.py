"""Trained autoencoders for use without Isthmus: in plain NumPy, as an ONNX graph, as a torch module."""

"""A trained model as one ONNX graph in physical units, its card, and the check against ONNX Runtime."""

"""Image-derived input, calibration to blood samples, parent fraction, plasma, delay."""

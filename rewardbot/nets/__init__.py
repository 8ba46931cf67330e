"""Networks: image encoders, heads, and weights as bytes."""

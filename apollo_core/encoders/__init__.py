"""Vision encoders behind one interface: clips in, a grid of patch features out."""

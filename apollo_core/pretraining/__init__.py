"""How the microworld's vision encoders learn: the objective of each one's full-size namesake."""

"""The commands of `apollo`, a file each; heavy modules are imported inside the functions."""

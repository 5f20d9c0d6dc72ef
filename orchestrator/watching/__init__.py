"""What a person sees of a sweep while it runs, and how long it will take."""

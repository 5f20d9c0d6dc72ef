"""What stages cost, from configuration files alone."""

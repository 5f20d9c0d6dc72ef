"""What the statistics say of a table: pairs of scales, axes, proxies, the next study."""

"""Its folder is where the tests below find `tiny_stages`, `tiny_sweeps` and `small_sweep`."""

"""The public files of benchmarks, read as they are published: each format in a file of its own."""

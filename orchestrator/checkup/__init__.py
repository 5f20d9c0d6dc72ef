"""What `apollo doctor` looks at, a file for each place. Nothing is changed."""

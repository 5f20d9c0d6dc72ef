"""Where the tests below find `s3_server`."""

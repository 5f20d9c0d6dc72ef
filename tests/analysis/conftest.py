"""Puts this folder on the path: the tests in its folders share the tables that lie here."""

"""What goes wrong with a user's table, as one exception that a command line can show as it is.

ValueError
└── TableError    a table, or an option that says how to read it, cannot be used
"""


class TableError(ValueError):
    """A score table or an option about it is wrong; the message names the place and the remedy."""

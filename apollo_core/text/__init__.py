"""How conversations become positions: formats of clips, chat templates, questions."""

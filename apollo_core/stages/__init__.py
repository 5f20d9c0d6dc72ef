"""The three kinds of stage: pretrain a microworld part, train, evaluate."""

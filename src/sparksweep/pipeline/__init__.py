"""What a command needs built before it, and builds it: tables, matrix, run, predictions.

``experiments`` finds and checks an experiment; ``job`` is one command at work; then a file a stage.
"""

"""Has the name of the model, whose own __init__.py cannot be here, too."""

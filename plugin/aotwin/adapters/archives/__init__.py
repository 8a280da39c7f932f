"""Archives as files: zip, wheel, sdist; also those that a stranger made."""

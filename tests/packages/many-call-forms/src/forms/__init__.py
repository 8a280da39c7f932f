"""Models with call forms of all kinds, in packages of their own."""

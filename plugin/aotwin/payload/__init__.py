"""What is copied into users' packages. Nothing here may import the rest of aotwin."""

"""Other programs: zig, Wine, pip's index, setuptools, and processes as such."""

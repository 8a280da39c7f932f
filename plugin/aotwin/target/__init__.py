"""What we build for, and with which pinned files."""

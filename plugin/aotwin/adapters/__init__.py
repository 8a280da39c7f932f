"""Everything outside: zig, pip's index, PE readers, Wine, the file system, zip archives."""

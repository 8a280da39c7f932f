"""PE files: two independent readers, checksum, exports, signatures, and our pairing in them."""

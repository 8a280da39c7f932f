"""Not shipped: left out of the packages."""

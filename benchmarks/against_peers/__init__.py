"""Networks of usual sizes through aotwin and through what users would take instead of it."""

"""A package whose model lives in `demo.classifier`."""

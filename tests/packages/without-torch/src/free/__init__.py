"""A package whose models need numpy and nothing else."""

"""Honest stand-ins for the outside world, tested like everything else."""

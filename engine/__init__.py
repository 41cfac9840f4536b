"""Face Recovery Engine: restores the faces in massive image sets, resumably, verified, never paid twice."""

__all__ = ["__version__"]

__version__ = "0.1.0"

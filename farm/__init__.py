"""farm: benchmark MegEngine models on many devices over SSH."""

__version__ = "0.1.0"

"""Commands of several machines; the engine is imported when one is called, not before."""

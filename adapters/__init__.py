"""The frameworks: one module per import name, applied when that module is imported, never importing it."""

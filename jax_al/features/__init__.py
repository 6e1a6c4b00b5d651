"""Features: fixed numbers per example that no training here changes."""

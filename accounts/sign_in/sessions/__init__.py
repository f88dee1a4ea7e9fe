"""Sessions of browsers: rows, clock, engine, middleware."""

"""Interest on savings: counted daily, posted monthly (R9.2)."""

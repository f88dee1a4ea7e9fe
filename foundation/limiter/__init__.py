"""At most N times in a sliding window, exact under any parallelism (R3.9, R1.4)."""

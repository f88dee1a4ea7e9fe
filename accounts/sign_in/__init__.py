"""How people prove who they are: passwords, codes, PINs, devices, sessions (R1)."""

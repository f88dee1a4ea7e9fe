"""Random walks through the services of the bank, each step beside the model (`tests.faults.model`): ADR 29."""

from accounts.refusals import Refusal

__all__ = ["Refusal"]

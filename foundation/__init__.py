"""The ground floor: mechanisms that know no business word. It imports no app."""

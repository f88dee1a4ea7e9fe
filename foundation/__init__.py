"""The ground floor: mechanisms that know no term of banking. It imports no app."""

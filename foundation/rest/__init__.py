"""What every route of the API is made of: bodies, schemas, problems, rates and the document (R7)."""

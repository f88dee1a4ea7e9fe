"""One walk over every role and every door of the bank: its pages, the staff's area, the API and the services.

Each kind of door has a table, with a line for each door, which names the permission that opens it. The grants say which
role has that permission. A door that is in no table fails `test_tables`, which says where to add it.
"""

"""Policy of the company: its clauses, their parameters, and the people it names. Text in, frozen values out."""

"""JSON Schema of company.toml, for editors, from the structs that read the file."""

import msgspec

from muniment.server.organisations.company_file import CompanyFile


def describe_company_file() -> str:
    """Build the text of `docs/reference/company.schema.json`."""
    schema = msgspec.json.encode(msgspec.json.schema(CompanyFile), order="sorted")
    return msgspec.json.format(schema).decode() + "\n"

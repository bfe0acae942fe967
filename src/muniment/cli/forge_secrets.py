"""The steps that bring a forge's secrets to the vault, and delete them there: shown, then done if a person says so."""

import shlex
from collections.abc import Collection, Iterator

from muniment.cli import forge_access, printing
from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Unknown
from muniment.forges.registry import FORGE_KINDS


def read_secret_names(there: forge_access.RepositoryAccess) -> tuple[str, ...]:
    """Names of the secrets that a forge stores for a repository. Raises ForgeError if they cannot all be read."""
    found = there.forge.reader.read_job_settings(there.listed.repository).secrets
    if isinstance(found, Unknown):
        raise ForgeError(
            ForgeCode.FORBIDDEN,
            f"which secrets the forge keeps could not be read: {found.reason}",
            "Give the token that permission, then run this again.",
        )
    return found.value


def plan_move(
    there: forge_access.RepositoryAccess, names: Collection[str], in_vault: Collection[str], options: str
) -> Iterator[str]:
    """Lines of the plan: the secrets to set, then those to delete at the forge. `options` name product and
    environment.
    """
    missing = [name for name in names if name not in in_vault]
    for name in missing:
        quoted = shlex.quote(printing.make_printable(name))
        yield f"set       muniment secret set {quoted} {options}"
        yield f"          (or a new value that nobody sees, by muniment secret generate {quoted} {options})"
    for name in names:
        if name in in_vault:
            yield f"delete    {delete_command(there, printing.make_printable(name))}"
    if missing:
        yield "Then change the pipeline file (--secret NAME), see one run pass, and run this again for what to delete."
    elif names:
        yield "Before you delete: the pipeline file gets each by --secret NAME, and one run has passed."
    if names:
        yield "A value that the forge had was readable to every job there: rotate it once it is deleted."


def delete_secrets(there: forge_access.RepositoryAccess, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Delete these at the forge, each with why it was not deleted, "" if it was. One that fails holds up no other."""
    for name in names:
        try:
            there.forge.protector.delete_secret(there.listed.repository, name)
        except ForgeError as error:
            kept_elsewhere = error.code is ForgeCode.NOT_FOUND
            why = "its organisation, group or environment keeps it" if kept_elsewhere else error.message
            yield name, why
        else:
            yield name, ""


def delete_command(there: forge_access.RepositoryAccess, name: str) -> str:
    """The command by which a person deletes a secret at the forge, with a credential of their own."""
    connection = there.connection
    format_deletion = FORGE_KINDS[connection.vendor].format_secret_deletion
    return format_deletion(connection.url.rstrip("/"), there.listed.repository.path, name)

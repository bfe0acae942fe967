"""Refusals of updates that need no policy: the update is malformed, or cannot be evaluated."""

from muniment.controls.control import ReasonCodes, unknown, violated


class Refusals(ReasonCodes):
    """Refusals of the server hook itself. The subject is `ref:` and the ref's name."""

    RESERVED = violated(
        "{name} is reserved for Muniment and git.",
        "Push to a branch or a tag: refs/heads/NAME, refs/tags/NAME.",
    )
    MOVED_MEANWHILE = unknown(
        "{name} was updated by another push in the meantime.",
        "Fetch it, then push again.",
    )
    STRANGE_NAME = unknown(
        "{name} is protected, and its name has characters that cannot be evaluated safely.",
        "Give it a name of printable characters without %.",
    )
    NOT_A_COMMIT = violated(
        "{name} is protected, and {object} is no commit and no tag of one.",
        "Tag a commit: git tag NAME COMMIT.",
    )
    UNREADABLE = unknown(
        "{name} could not be evaluated: {why}.",
        "{next}",
    )
    BREAKS_RULES = violated(
        "After this change no later change could be evaluated: {why}.",
        "{next}",
    )
    NOT_REPAIRED = unknown(
        "No change can be evaluated before the policy is corrected: {why}.",
        "{next} Correct it in a change of .muniment/policy.toml alone, which two others approve; a policy of the home "
        "is corrected by the operator of this server. Or have a version installed that can evaluate it.",
    )
    NO_APPROVAL_REF = violated(
        "{name} does not name an approval: refs/muniment/approvals/COMMIT/PERSON does.",
        "Approve with muniment approve, as the message of the denied push shows.",
    )
    APPROVAL_STAYS = violated(
        "An approval is never deleted.",
        "Take it back with another statement, and push that.\n{command}",
    )
    APPROVAL_REWOUND = violated(
        "An earlier statement of {person} on {head} would be lost.",
        "Fetch it, then make the statement again.\ngit fetch origin '+refs/muniment/*:refs/muniment/*'",
    )
    APPROVAL_NOT_SIGNED = violated(
        "The statement {statement} is not validly signed by {person} ({signature}).",
        "Sign it again with a key of {person} (--key FILE), after fetching what is here.\n"
        "git fetch origin '+refs/muniment/*:refs/muniment/*'\n{command}",
    )
    APPROVAL_BY_NOBODY = violated(
        "The signer of the statement {statement} is not known: {signer}.",
        "Ask the operator of this server to add your SSH public key to people.toml, then push the statement again.",
    )
    APPROVAL_BY_MACHINE = violated(
        "The statement {statement} is signed by the machine {machine}. Only people approve and attest.",
        "Sign it with the key of a person: --key FILE.\n{command}",
    )
    APPROVAL_ELSEWHERE = violated(
        "The statement {statement} is about {about}, and lies at {head}.",
        "Make it again, for the commit itself.\n{command}",
    )
    APPROVAL_OTHER_REPOSITORY = violated(
        "The statement {statement} is for the repository {about}. This one is {repository}.",
        "Make it again, for this repository.\n{command}",
    )
    APPROVAL_UNPROTECTED = violated(
        "The statement {statement} is for {about}, which is not protected here, so no statement is needed.",
        "Name a protected branch or tag with --onto. Protected here: {protected}.",
    )
    APPROVAL_OTHER_TREE = violated(
        "The statement {statement} names other files than {head} has.",
        "Make it again, for the commit itself.\n{command}",
    )
    APPROVAL_NOT_ENTITLED = violated(
        "{person} may not write to {repository}, or is not active here, so no statement of {person} counts.",
        "Ask somebody else; or have people.toml changed: active = true, and write_access for {repository}.",
    )
    ATTESTATION_NOT_ENTITLED = violated(
        "{person} does not have the security role: the attestation would not count.",
        "Ask somebody with the security role: {ask}.",
    )
    ATTESTED_NOBODY = violated(
        "The statement {statement} attests {about}, which is no person's id.",
        "Make it again, with a person's id behind each =.\n{command}",
    )
    NO_RUN_REF = violated(
        "{name} does not name a run of tests: refs/muniment/runs/COMMIT/PIPELINE does.",
        "Submit runs with: muniment tests submit --pipeline NAME --junit FILE",
    )
    RUN_STAYS = violated(
        "A pipeline's report on a commit is never deleted.",
        "Run it again, and submit the new report.",
    )
    RUN_REWOUND = violated(
        "An earlier report of {pipeline} on {head} would be lost.",
        "Fetch it, then submit the report again: git fetch origin '+refs/muniment/runs/*:refs/muniment/runs/*'",
    )
    RUN_NOT_SIGNED = violated(
        "A run of {pipeline} on {head} is not validly signed by {who} ({signature}).",
        "Let a machine that people.toml lists sign it: muniment tests submit --pipeline {pipeline} "
        "--junit FILE --key FILE",
    )
    RUN_ELSEWHERE = violated(
        "A run of {pipeline} is about {about}, and lies at {head}.",
        "Submit runs with: muniment tests submit --pipeline {pipeline} --junit FILE",
    )
